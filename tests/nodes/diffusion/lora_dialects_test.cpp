// One LoRA in all namings: equal to the bit where its alphas are kept, equal dW where they are made one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "diffusion/lora_format.h"
#include "diffusion/lora_hash.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

/// Layers of all parts that the architecture has, in every form.
Lora lora_of_all_parts(Architecture architecture, uint64_t seed) {
  RandomLoras random(seed);
  Lora lora = random.lora();
  const std::string attention = "text_model.encoder.layers.0.self_attn.out_proj",
                    mlp = "text_model.encoder.layers.1.mlp.fc1";
  for (const std::string& path : {attention, mlp}) {
    lora.layers["text_encoder." + path] = random.layer({6, 5});
    if (architecture == Architecture::sdxl) lora.layers["text_encoder_2." + path] = random.layer({7, 4});
  }
  lora.base = LoraBase{.architecture = architecture};
  return lora;
}

void expect_same_files(const LoraFile& got, const LoraFile& wanted) {
  EXPECT_EQ(got.metadata, wanted.metadata);
  ASSERT_EQ(got.tensors.size(), wanted.tensors.size());
  for (const auto& [key, tensor] : wanted.tensors) {
    ASSERT_TRUE(got.tensors.contains(key)) << key;
    EXPECT_TRUE(at::equal(got.tensors.at(key), tensor)) << key;
  }
}

Lora must_read(const Result<Lora>& lora) {
  EXPECT_TRUE(lora) << lora.error().message;
  return lora.value_or(Lora{});
}

class LoraDialects : public ::testing::TestWithParam<Architecture> {
 protected:
  Lora lora = lora_of_all_parts(GetParam(), 3);
};
INSTANTIATE_TEST_SUITE_P(Architectures, LoraDialects,
                         ::testing::Values(Architecture::sd1, Architecture::sd2, Architecture::sdxl));

TEST_P(LoraDialects, WithTheirAlphasGiveTheSameFileToTheBitWhenTheyAreReadInTurn) {
  const LoraFile kohya = to_kohya(lora, {}, LoraAlphas::keep);
  const Lora from_kohya = must_read(lora_of_file(kohya));
  const Lora from_diffusers = must_read(lora_of_file(to_diffusers(from_kohya, {}, LoraAlphas::keep)));
  const Lora from_peft = must_read(lora_of_peft(to_peft(from_diffusers, {}, LoraAlphas::keep)));
  expect_same_files(to_kohya(from_peft, {}, LoraAlphas::keep), kohya);
  std::set<double> alphas;
  for (const auto& [name, layer] : from_peft.layers) {
    EXPECT_EQ(layer.alpha, lora.layers.at(name).alpha) << name;
    alphas.insert(layer.alpha);
  }
  EXPECT_GT(alphas.size(), 2U);
}

TEST_P(LoraDialects, WithOneAlphaHoldTheSameUpdates) {
  const auto expect_same_updates = [&](const Lora& read) {
    std::set<double> alphas;
    ASSERT_EQ(read.layers.size(), lora.layers.size());
    for (const auto& [name, layer] : lora.layers) {
      const at::Tensor wanted = exact_delta(layer);
      EXPECT_LE(distance(read.layers.at(name).delta(), wanted), 1e-6 * wanted.norm().item<double>()) << name;
      EXPECT_EQ(read.layers.at(name).rank(), layer.rank()) << name;
      alphas.insert(read.layers.at(name).alpha);
    }
    EXPECT_EQ(alphas.size(), 1U);
    EXPECT_EQ(read.base, lora.base);
  };
  expect_same_updates(must_read(lora_of_file(to_diffusers(lora, {}))));
  expect_same_updates(must_read(lora_of_peft(to_peft(lora, {}))));
}

TEST(OneAlpha, IsExactWhereTheOthersArePowersOfTwoOfIt) {
  Lora lora = RandomLoras(5).lora();
  double alpha = 96;
  for (auto& [name, layer] : lora.layers) layer.alpha = alpha /= -2;
  for (const LoraFile& file : {to_kohya(lora, {}), to_diffusers(lora, {})}) {
    const Lora read = must_read(lora_of_file(file));
    for (const auto& [name, layer] : lora.layers) {
      EXPECT_EQ(read.layers.at(name).alpha, 48) << name;
      EXPECT_TRUE(at::equal(read.layers.at(name).delta(), layer.delta())) << name;
    }
  }
}

TEST(DiffusersFile, TellsRanksAndAlphasOfWhatDiffersFromMostLayers) {
  const auto layer = [](int64_t rank, double alpha) {
    return LoraLayer{.a = at::ones({rank, 2}), .b = at::ones({3, rank}), .alpha = alpha};
  };
  Lora lora;
  lora.layers = {{"conv_in", {.a = at::ones({4, 2, 3, 3}), .b = at::ones({3, 4}), .alpha = 2}},
                 {"time_embedding.linear_1", layer(4, 2)},
                 {"time_embedding.linear_2", layer(8, 6)},
                 {"text_encoder.text_model.encoder.layers.0.mlp.fc1", layer(1, 0.5)}};
  const LoraFile file = to_diffusers(lora, {.title = "t"}, LoraAlphas::keep);
  EXPECT_EQ(nlohmann::json::parse(file.metadata.at("lora_adapter_metadata")), nlohmann::json::parse(R"({
      "unet.r": 4, "unet.lora_alpha": 2.0, "unet.rank_pattern": {"time_embedding.linear_2": 8},
      "unet.alpha_pattern": {"time_embedding.linear_2": 6.0},
      "unet.target_modules": ["conv_in", "time_embedding.linear_1", "time_embedding.linear_2"],
      "text_encoder.r": 1, "text_encoder.lora_alpha": 0.5, "text_encoder.rank_pattern": {},
      "text_encoder.alpha_pattern": {}, "text_encoder.target_modules": ["encoder.layers.0.mlp.fc1"]})"));
  EXPECT_EQ(file.metadata.at("modelspec.implementation"), "diffusers");
  EXPECT_FALSE(file.metadata.contains("ss_network_module"));
  EXPECT_EQ(shape_text(file.tensors.at("unet.conv_in.lora_B.weight").sizes()), "[3, 4, 1, 1]");
  EXPECT_TRUE(file.tensors.contains("text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight"));
  EXPECT_EQ(file.tensors.size(), 8U);
}

TEST(PeftAdapters, AreOnePerModelUnderTheNamesOfTransformers5) {
  const LoraLayer layer{.a = at::ones({2, 2}), .b = at::ones({3, 2}), .alpha = 4};
  const std::string path = "text_model.encoder.layers.0.mlp.fc1";
  Lora lora;
  lora.layers = {
      {"mid_block.attentions.0.proj_in", layer}, {"text_encoder." + path, layer}, {"text_encoder_2." + path, layer}};
  const auto adapters = to_peft(lora, {});
  ASSERT_EQ(adapters.size(), 3U);
  const auto has = [&](LoraPart part, const std::string& key) { return adapters.at(part).file.tensors.contains(key); };
  EXPECT_TRUE(has(LoraPart::unet, "base_model.model.mid_block.attentions.0.proj_in.lora_A.weight"));
  EXPECT_TRUE(has(LoraPart::text_encoder, "base_model.model.encoder.layers.0.mlp.fc1.lora_B.weight"));
  EXPECT_TRUE(has(LoraPart::text_encoder_2, "base_model.model." + path + ".lora_B.weight"));
  const nlohmann::json& config = adapters.at(LoraPart::text_encoder_2).config;
  EXPECT_EQ(config.at("peft_type"), "LORA");
  EXPECT_EQ(config.at("lora_alpha"), 4.0);
  EXPECT_EQ(config.at("r"), 2);
}

TEST(PeftAdapters, ThatAreWrongAreNamedByTheirModel) {
  const nlohmann::json config = {{"lora_alpha", 1}};
  const auto read = lora_of_peft({{LoraPart::text_encoder_2, {{{{"nonsense", at::ones({2, 2})}}, {}}, config}}});
  EXPECT_EQ(read.error().message, "text_encoder_2: LoRA key 'nonsense' is in no naming that is known");
  EXPECT_EQ(lora_of_peft({}).error().message, "the adapters hold no LoRA");
}

TEST(KohyaHashes, FollowTheTensorsAndNotTheTitle) {
  Lora lora;
  lora.layers["conv_in"] = {.a = at::ones({2, 4}), .b = at::ones({600000, 2}), .alpha = 4};
  const KohyaHashes hashes = kohya_hashes(to_kohya(lora, {}));
  const KohyaHashes titled = kohya_hashes(to_kohya(lora, {.title = "another"}));
  EXPECT_EQ(titled.model, hashes.model);
  EXPECT_EQ(titled.legacy, hashes.legacy);
  EXPECT_NE(hashes.legacy, "e3b0c442");  // of nothing
  lora.layers["conv_in"].b[130000][0] = 2;
  EXPECT_NE(kohya_hashes(to_kohya(lora, {})).model, hashes.model);
}

}  // namespace
}  // namespace atelier::diffusion
