#include "diffusion/lora_fuse.h"

#include "diffusion/lora_files.h"
#include "diffusion/model_write.h"
#include "goldens.h"
#include "random_loras.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

TEST(LoraFuse, AddsTheWeightedUpdatesAndCastsOnce) {
  RandomLoras random(1);
  Lora a, b;
  a.layers["conv_in"] = random.layer({8, 4, 3, 3});
  b.layers["conv_in"] = random.layer({8, 4, 3, 3});
  const at::Tensor weight = random.normal({8, 4, 3, 3}).to(at::kHalf), other = random.normal({3});
  const WeightMap base = {{"conv_in.weight", weight}, {"conv_in.bias", other}};
  const WeightMap fused = *fuse(base, LoraPart::unet, std::vector<WeightedLora>{{&a, 0.6}, {&b, -0.9}});

  const at::Tensor wanted =
      weight.to(at::kDouble) + exact_delta(a.layers["conv_in"]) * 0.6 - exact_delta(b.layers["conv_in"]) * 0.9;
  const at::Tensor& got = fused.at("conv_in.weight");
  EXPECT_EQ(got.scalar_type(), at::kHalf);
  // Half a unit in the last place of float16, and what float32 adds to it.
  EXPECT_LT(((got.to(at::kDouble) - wanted).abs() / wanted.abs().clamp_min(1e-2)).max().item<double>(), 6e-4);
  EXPECT_TRUE(fused.at("conv_in.bias").is_same(other));
  EXPECT_TRUE(base.at("conv_in.weight").is_same(weight));
}

TEST(LoraFuse, KeepsTextEncoderAndUNetApart) {
  RandomLoras random(2);
  Lora lora;
  lora.layers["text_encoder.text_model.fc1"] = random.layer({4, 4});
  lora.layers["conv_in"] = random.layer({4, 4});
  const WeightMap text = {{"text_model.fc1.weight", at::zeros({4, 4})}}, unet = {{"conv_in.weight", at::zeros({4, 4})}};
  const std::vector<WeightedLora> terms = {{&lora, 1}};
  EXPECT_LT(distance(fuse(text, LoraPart::text_encoder, terms)->at("text_model.fc1.weight"),
                     exact_delta(lora.layers.at("text_encoder.text_model.fc1"))),
            1e-4);
  EXPECT_LT(distance(fuse(unet, LoraPart::unet, terms)->at("conv_in.weight"), exact_delta(lora.layers.at("conv_in"))),
            1e-4);
}

TEST(LoraFuse, FindsTextEncodersWeightsWithAndWithoutTextModelAndTellsTheEncodersApart) {
  RandomLoras random(4);
  Lora lora;
  lora.layers["text_encoder.text_model.fc1"] = random.layer({4, 4});
  lora.layers["text_encoder_2.text_model.fc1"] = random.layer({4, 4});
  const std::vector<WeightedLora> terms = {{&lora, 1}};
  const WeightMap bare = {{"fc1.weight", at::zeros({4, 4})}}, full = {{"text_model.fc1.weight", at::zeros({4, 4})}};
  const at::Tensor first = exact_delta(lora.layers.at("text_encoder.text_model.fc1"));
  const at::Tensor second = exact_delta(lora.layers.at("text_encoder_2.text_model.fc1"));
  EXPECT_LT(distance(fuse(bare, LoraPart::text_encoder, terms)->at("fc1.weight"), first), 1e-4);
  EXPECT_LT(distance(fuse(full, LoraPart::text_encoder_2, terms)->at("text_model.fc1.weight"), second), 1e-4);
  EXPECT_LT(distance(fuse(bare, LoraPart::text_encoder_2, terms)->at("fc1.weight"), second), 1e-4);
  EXPECT_EQ(fuse({}, LoraPart::text_encoder_2, terms).error().message,
            "LoRA layer 'text_encoder_2.text_model.fc1': the base model has no such layer");
}

TEST(LoraFuse, AddsDoraAndFullMatricesAsTheyAre) {
  const std::filesystem::path goldens = ATELIER_SOURCE_DIR "/tests/golden/lycoris";
  RandomLoras random(5);
  const WeightMap deltas = test::read_all(goldens / "deltas.safetensors");
  for (const char* kind : {"locon", "loha", "lokr", "dora"}) {
    const LoraUpdates updates = *read_lora_updates(goldens / (std::string(kind) + ".safetensors"));
    WeightMap base;
    for (const auto& [name, wanted] : deltas) {
      const std::string prefix = std::string(kind) + "/";
      if (name.starts_with(prefix) && !name.ends_with("/weight"))
        base[name.substr(prefix.size()) + ".weight"] = random.normal(wanted.sizes());
    }
    const auto changes = fusion(base, LoraPart::unet, std::vector<WeightedUpdates>{{&updates, 0.5}});
    ASSERT_TRUE(changes) << changes.error().message;
    EXPECT_EQ(changes->size(), base.size()) << kind;
    const WeightMap fused = *with_changes(base, *changes);
    for (const auto& [layer, update] : layers_of(updates)) {
      const at::Tensor& weight = base.at(layer + ".weight");
      EXPECT_LT(distance(fused.at(layer + ".weight"), weight + *delta_on(layer, update, weight) * 0.5), 1e-5) << layer;
    }
  }
}

/// A LoRA of every layer that the tiny base's LoRAs have, written into a model file layer by layer.
TEST(LoraFuse, OfAModelFileGivesTheWeightsThatFusingInMemoryGives) {
  const auto base = BaseModel::open(ATELIER_SOURCE_DIR "/tests/golden/sd1_tiny/model");
  ASSERT_TRUE(base) << base.error().message;
  const WeightMap weights = *base->weights(ModelPart::unet);
  RandomLoras random(6);
  Lora lora;
  for (const auto& [name, weight] : weights)
    if (name.ends_with(".weight") && (weight.dim() == 2 || weight.dim() == 4))
      lora.layers[name.substr(0, name.size() - 7)] = random.layer(weight.sizes().vec());
  const WeightMap in_memory = *fuse(weights, LoraPart::unet, std::vector<WeightedLora>{{&lora, 0.01}});
  const LoraUpdates updates{.lora = lora};
  const test::TemporaryFolder folder;
  for (const char* name : {"out.safetensors", "out/"}) {
    const auto changes =
        fusion(weights, LoraPart::unet, std::vector<WeightedUpdates>{{&updates, 0.01}}, {.dtype = at::kFloat});
    const auto done = write_model(*base, {{ModelPart::unet, *changes}}, folder / name);
    ASSERT_TRUE(done) << done.error().message;
    const auto written = BaseModel::open(folder / name, {.config = base->path()});
    ASSERT_TRUE(written) << written.error().message;
    const WeightMap got = *written->weights(ModelPart::unet);
    for (const auto& [weight, value] : got)
      EXPECT_TRUE(at::equal(value, in_memory.at(weight))) << name << " " << weight;
  }
}

TEST(LoraFuse, RefusesALoraOfAnotherBase) {
  RandomLoras random(3);
  Lora lora;
  lora.layers["conv_in"] = random.layer({4, 4});
  const std::vector<WeightedLora> terms = {{&lora, 1}};
  EXPECT_EQ(fuse({}, LoraPart::unet, terms).error().message, "LoRA layer 'conv_in': the base model has no such layer");
  EXPECT_EQ(fuse({{"conv_in.weight", at::zeros({4, 5})}}, LoraPart::unet, terms).error().message,
            "LoRA layer 'conv_in': changes a weight of shape [4, 4], the base model's is [4, 5]");
}

}  // namespace
}  // namespace atelier::diffusion
