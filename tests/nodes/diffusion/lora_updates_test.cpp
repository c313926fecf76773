// Adapters of every kind, against the files and the updates of LyCORIS and peft (tests/golden/make_lycoris.py).
#include "diffusion/lora_updates.h"

#include <gmock/gmock.h>

#include "goldens.h"

namespace atelier::diffusion {
namespace {

using ::testing::ElementsAre;

const std::filesystem::path kGoldens = ATELIER_SOURCE_DIR "/tests/golden/lycoris";

LoraUpdates updates_in(const std::string& name) {
  const auto file = name == "peft" ? kGoldens / "peft/adapter_model.safetensors" : kGoldens / (name + ".safetensors");
  auto updates = read_lora_updates(file);
  EXPECT_TRUE(updates) << updates.error().message;
  return updates.value_or(LoraUpdates{});
}

class AdapterGolden : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Kinds, AdapterGolden, ::testing::Values("locon", "loha", "lokr", "dora", "peft"));

TEST_P(AdapterGolden, GivesTheUpdatesOfTheLibraryThatMadeIt) {
  const LoraUpdates updates = updates_in(GetParam());
  const WeightMap goldens = test::read_all(kGoldens / "deltas.safetensors");
  std::size_t compared = 0;
  for (const auto& [name, wanted] : goldens) {
    if (!name.starts_with(GetParam() + "/") || name.ends_with("/weight")) continue;
    const auto weight = goldens.find(name + "/weight");
    const auto delta = delta_on(updates, name.substr(GetParam().size() + 1),
                                weight == goldens.end() ? at::zeros_like(wanted) : weight->second);
    ASSERT_TRUE(delta) << delta.error().message;
    EXPECT_TRUE(test::near(*delta, wanted, 2e-6 * std::max(1.0, wanted.abs().max().item<double>()))) << name;
    EXPECT_GT(wanted.abs().max().item<double>(), 1e-2) << name;
    ++compared;
  }
  EXPECT_EQ(compared, updates.lora.layers.size() + updates.dense.size());
  EXPECT_GE(compared, 2U);
}

TEST(TuckersForm, IsALayerOfKernelShape) {
  const auto lora = read_lora(kGoldens / "locon.safetensors");
  ASSERT_TRUE(lora) << lora.error().message;
  const LoraLayer& layer = lora->layers.at("down_blocks.0.resnets.0.conv1");
  EXPECT_EQ(shape_text(layer.a.sizes()), "[4, 8, 3, 3]");
  EXPECT_EQ(shape_text(layer.b.sizes()), "[12, 4]");
  EXPECT_EQ(layer.alpha, 3);
}

TEST(OtherKinds, AreNoLoraUntilWhatTheyNeedIsGiven) {
  const std::string layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_";
  const auto error_of = [](const std::string& name) { return read_lora(kGoldens / name).error().message; };
  const std::string folder = kGoldens.string();
  EXPECT_EQ(error_of("loha.safetensors"), folder + "/loha.safetensors: LoRA layer '" + layer +
                                              "q' is of the kind LoHa, whose update is a full matrix: a rank to reduce "
                                              "it to is needed");
  EXPECT_EQ(error_of("lokr.safetensors"), folder + "/lokr.safetensors: LoRA layer '" + layer +
                                              "k' is of the kind LoKr, whose update is a full matrix: a rank to reduce "
                                              "it to is needed");
  EXPECT_EQ(error_of("dora.safetensors"), folder + "/dora.safetensors: LoRA layer '" + layer +
                                              "k' is of the kind DoRA, whose update depends on the base's weight: the "
                                              "base is needed");
}

std::string error_of(WeightMap tensors) {
  const auto updates = lora_updates_of_file({std::move(tensors), {}});
  return updates ? "no error" : updates.error().message;
}

TEST(OtherKinds, WithTensorsThatDoNotFitAreToldByTheirLayer) {
  const std::string key = "lora_unet_conv_in.";
  const at::Tensor a = at::ones({4, 2}), b = at::ones({2, 3});
  EXPECT_EQ(error_of({{key + "hada_w1_a", a}, {key + "hada_w1_b", b}, {key + "hada_w2_a", a}}),
            "LoRA layer 'conv_in': hada_w2_b is missing");
  EXPECT_EQ(error_of({{key + "hada_w1_a", a}, {key + "hada_w1_b", a}, {key + "hada_w2_a", a}, {key + "hada_w2_b", b}}),
            "LoRA layer 'conv_in': hada_w1_a of shape [4, 2] and hada_w1_b of shape [4, 2] do not fit together");
  EXPECT_EQ(error_of({{key + "hada_w1_a", a},
                      {key + "hada_w1_b", b},
                      {key + "hada_w2_a", at::ones({5, 2})},
                      {key + "hada_w2_b", b}}),
            "LoRA layer 'conv_in': its two products have the shapes [4, 3] and [5, 3]");
  EXPECT_EQ(error_of({{key + "hada_t1", at::ones({2, 2, 3, 3})}, {key + "hada_w1_a", a}}),
            "LoRA layer 'conv_in': hada_t2 is missing");
  EXPECT_EQ(error_of({{key + "lokr_w1", a}}), "LoRA layer 'conv_in': lokr_w2_a is missing");
  EXPECT_EQ(error_of({{key + "lokr_w1", at::ones({4})}, {key + "lokr_w2", a}}),
            "LoRA layer 'conv_in': its two halves have the shapes [4] and [4, 2]");
  EXPECT_EQ(error_of({{key + "lokr_w1", a},
                      {key + "lokr_t2", at::ones({3, 3, 3, 3})},
                      {key + "lokr_w2_a", a},
                      {key + "lokr_w2_b", b}}),
            "LoRA layer 'conv_in': lokr_t2 of shape [3, 3, 3, 3] and lokr_w2_a of shape [4, 2] do not fit together");
  EXPECT_EQ(error_of({{key + "lokr_w1", a}, {key + "lora_up.weight", a}}),
            "LoRA layer 'conv_in' has tensors of more than one kind of adapter");
  EXPECT_EQ(error_of({{key + "lora_down.weight", at::ones({2, 3, 1, 1})},
                      {key + "lora_mid.weight", at::ones({3, 2, 3, 3})},
                      {key + "lora_up.weight", at::ones({4, 2, 1, 1})}}),
            "LoRA key 'lora_unet_conv_in.lora_up.weight': down of shape [2, 3, 1, 1] and mid of shape [3, 2, 3, 3] do "
            "not fit together");
}

TEST(Updates, ForAWeightOfAnotherShapeAreRefused) {
  const LoraUpdates dora = updates_in("dora"), lokr = updates_in("lokr");
  const std::string conv = "down_blocks.0.resnets.0.conv1";
  EXPECT_EQ(
      delta_on(dora, conv, at::ones({4, 3})).error().message,
      "LoRA layer '" + conv + "': an update of shape [12, 8, 3, 3] does not fit the base's weight of shape [4, 3]");
  EXPECT_EQ(delta_on(lokr, conv, at::ones({24, 16, 3, 3})).error().message,
            "LoRA layer '" + conv +
                "': an update of shape [16, 216] does not fit the base's weight of shape [24, 16, 3, "
                "3]");
  EXPECT_EQ(delta_on(dora, "conv_in", at::ones({4, 3})).error().message, "LoRA layer 'conv_in' is not in the file");
  LoraUpdates wrong = dora;
  wrong.magnitudes.at(conv) = at::ones({5});
  EXPECT_EQ(
      delta_on(wrong, conv, at::ones({12, 8, 3, 3})).error().message,
      "LoRA layer '" + conv + "': its magnitude of shape [5] does not fit the base's weight of shape [12, 8, 3, 3]");
}

TEST(UnknownKeys, AreSkippedAndToldOnlyWhereThatIsAskedFor) {
  const WeightMap tensors = {{"lora_unet_conv_in.lora_down.weight", at::ones({2, 3})},
                             {"lora_unet_conv_in.lora_up.weight", at::ones({4, 2})},
                             {"nonsense", at::ones({1})},
                             {"lora_unet_conv_in.quite_other", at::ones({1})}};
  EXPECT_EQ(error_of(tensors), "LoRA key 'lora_unet_conv_in.quite_other' is in no naming that is known");
  const auto updates = lora_updates_of_file({tensors, {}}, {.skip_unknown = true});
  ASSERT_TRUE(updates) << updates.error().message;
  EXPECT_THAT(updates->skipped, ElementsAre("lora_unet_conv_in.quite_other", "nonsense"));
  EXPECT_EQ(updates->lora.layers.size(), 1U);
  EXPECT_EQ(lora_updates_of_file({{{"nonsense", at::ones({1})}}, {}}, {.skip_unknown = true}).error().message,
            "the file holds no LoRA");
  WeightMap oft = tensors;
  oft["lora_unet_conv_in.oft_blocks"] = at::ones({1});
  EXPECT_FALSE(lora_updates_of_file({oft, {}}, {.skip_unknown = true}));
}

}  // namespace
}  // namespace atelier::diffusion
