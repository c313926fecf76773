#include "diffusion/lora_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "random_loras.h"

namespace atelier::diffusion {
namespace {

class KohyaFiles : public ::testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, KohyaFiles, ::testing::Range<uint64_t>(0, 5));

TEST_P(KohyaFiles, CarryOneAlphaAndTheSameUpdates) {
  const Lora lora = RandomLoras(GetParam()).lora();
  const LoraFile file = to_kohya(lora, {});
  std::set<double> alphas;
  for (const auto& [key, tensor] : file.tensors)
    if (key.ends_with(".alpha")) alphas.insert(tensor.item<double>());
  EXPECT_EQ(alphas.size(), 1U);

  const Lora read = *lora_of_file(file);
  ASSERT_EQ(read.layers.size(), lora.layers.size());
  for (const auto& [name, layer] : lora.layers) {
    const at::Tensor wanted = exact_delta(layer);
    EXPECT_LE(distance(read.layers.at(name).delta(), wanted), 1e-6 * wanted.norm().item<double>()) << name;
    EXPECT_EQ(read.layers.at(name).a.sizes(), layer.a.sizes()) << name;
  }
}

TEST(KohyaFile, OfEqualAlphasHoldsTheFactorsToTheBit) {
  Lora lora = RandomLoras(7).lora();
  for (auto& [name, layer] : lora.layers) layer.alpha = 3;
  const Lora read = *lora_of_file(to_kohya(lora, {}));
  for (const auto& [name, layer] : lora.layers) {
    EXPECT_TRUE(at::equal(read.layers.at(name).a, layer.a)) << name;
    EXPECT_TRUE(at::equal(read.layers.at(name).b, layer.b)) << name;
    EXPECT_EQ(read.layers.at(name).alpha, 3) << name;
  }
}

TEST(KohyaFile, SaysWhatItIsAndNothingOfWhenOrWhere) {
  Lora lora;
  lora.layers["mid_block.attentions.0.proj_in"] = {.a = at::ones({8, 4}), .b = at::ones({4, 8}), .alpha = 4};
  const LoraFile file = to_kohya(lora, {.title = "person", .resolution = "512x512", .date = {}});
  EXPECT_THAT(
      file.metadata,
      ::testing::ElementsAre(
          ::testing::Pair("format", "pt"), ::testing::Pair("modelspec.architecture", "stable-diffusion-v1/lora"),
          ::testing::Pair("modelspec.implementation", "diffusers"),
          ::testing::Pair("modelspec.prediction_type", "epsilon"), ::testing::Pair("modelspec.resolution", "512x512"),
          ::testing::Pair("modelspec.sai_model_spec", "1.0.0"), ::testing::Pair("modelspec.title", "person"),
          ::testing::Pair("ss_base_model_version", "sd_v1"), ::testing::Pair("ss_network_alpha", "4"),
          ::testing::Pair("ss_network_dim", "8"), ::testing::Pair("ss_network_module", "networks.lora"),
          ::testing::Pair("ss_v2", "False"), ::testing::Pair("sshs_legacy_hash", "e3b0c442"),
          ::testing::Pair("sshs_model_hash", "f626f288dab0569717449f23e9818986a0e94fb8c2265ea9af8cc177de5e09c5")));
}

struct BaseNames {
  LoraBase base;
  const char *architecture, *implementation, *prediction, *version, *v2;
};

class KohyaMetadata : public ::testing::TestWithParam<BaseNames> {};
INSTANTIATE_TEST_SUITE_P(Bases, KohyaMetadata,
                         ::testing::Values(BaseNames{{Architecture::sd1, PredictionType::epsilon},
                                                     "stable-diffusion-v1/lora",
                                                     "diffusers",
                                                     "epsilon",
                                                     "sd_v1",
                                                     "False"},
                                           BaseNames{{Architecture::sd1, PredictionType::v_prediction},
                                                     "stable-diffusion-v1/lora",
                                                     "diffusers",
                                                     "v",
                                                     "sd_v1_v",
                                                     "False"},
                                           BaseNames{{Architecture::sd2, PredictionType::epsilon},
                                                     "stable-diffusion-v2-512/lora",
                                                     "diffusers",
                                                     "epsilon",
                                                     "sd_v2",
                                                     "True"},
                                           BaseNames{{Architecture::sd2, PredictionType::v_prediction},
                                                     "stable-diffusion-v2-768-v/lora",
                                                     "diffusers",
                                                     "v",
                                                     "sd_v2_v",
                                                     "True"},
                                           BaseNames{{Architecture::sdxl, PredictionType::epsilon},
                                                     "stable-diffusion-xl-v1-base/lora",
                                                     "https://github.com/Stability-AI/generative-models",
                                                     "epsilon",
                                                     "sdxl_base_v1-0",
                                                     "False"},
                                           BaseNames{{Architecture::sdxl, PredictionType::v_prediction},
                                                     "stable-diffusion-xl-v1-base/lora",
                                                     "https://github.com/Stability-AI/generative-models",
                                                     "v",
                                                     "sdxl_base_v1-0",
                                                     "False"}));

TEST_P(KohyaMetadata, NamesTheBaseAsKohyaAndModelspecDoAndIsReadBack) {
  const BaseNames& names = GetParam();
  Lora lora;
  lora.layers["mid_block.attentions.0.proj_in"] = {.a = at::ones({2, 4}), .b = at::ones({4, 2})};
  lora.base = names.base;
  const LoraFile file = to_kohya(lora, {});
  EXPECT_EQ(file.metadata.at("modelspec.architecture"), names.architecture);
  EXPECT_EQ(file.metadata.at("modelspec.implementation"), names.implementation);
  EXPECT_EQ(file.metadata.at("modelspec.prediction_type"), names.prediction);
  EXPECT_EQ(file.metadata.at("ss_base_model_version"), names.version);
  EXPECT_EQ(file.metadata.at("ss_v2"), names.v2);
  EXPECT_FALSE(file.metadata.contains("ss_network_args"));
  EXPECT_EQ(lora_of_file(file)->base, names.base);
}

TEST(KohyaFile, TellsTheRankOfConvolutionsThatLookAtNeighbours) {
  Lora lora;
  lora.layers["down_blocks.0.resnets.0.conv1"] = {.a = at::ones({3, 4, 3, 3}), .b = at::ones({4, 3}), .alpha = 1.5};
  lora.layers["mid_block.attentions.0.proj_in"] = {.a = at::ones({8, 4, 1, 1}), .b = at::ones({4, 8}), .alpha = 4};
  const LoraFile file = to_kohya(lora, {});
  EXPECT_EQ(file.metadata.at("ss_network_args"), R"({"conv_dim": "3", "conv_alpha": "4"})");
  EXPECT_EQ(file.metadata.at("ss_network_dim"), "8");
  EXPECT_EQ(shape_text(file.tensors.at("lora_unet_down_blocks_0_resnets_0_conv1.lora_up.weight").sizes()),
            "[4, 3, 1, 1]");
}

TEST(LoraFile, WithoutMetadataTellsItsBaseByItsLayers) {
  const auto base_of = [](const std::string& key, int64_t width) {
    const Lora lora = *lora_of_file(
        {{{key + ".lora_down.weight", at::ones({2, width})}, {key + ".lora_up.weight", at::ones({4, 2})}}, {}});
    return lora.base ? kohya_version(*lora.base) : "unknown";
  };
  const std::string to_k = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k";
  EXPECT_EQ(base_of(to_k, 768), "sd_v1");
  EXPECT_EQ(base_of(to_k, 1024), "sd_v2");
  EXPECT_EQ(base_of(to_k, 2048), "sdxl_base_v1-0");
  EXPECT_EQ(base_of(to_k, 32), "unknown");
  EXPECT_EQ(base_of("lora_te1_text_model_encoder_layers_0_mlp_fc1", 8), "sdxl_base_v1-0");
  EXPECT_EQ(base_of("lora_te2_text_model_encoder_layers_0_mlp_fc1", 8), "sdxl_base_v1-0");
  EXPECT_EQ(base_of("lora_unet_input_blocks_4_1_proj_in", 8), "sdxl_base_v1-0");
  EXPECT_EQ(base_of("lora_te_text_model_encoder_layers_0_mlp_fc1", 8), "unknown");
}

std::string error_of(WeightMap tensors, Metadata metadata = {}, const nlohmann::json* config = nullptr) {
  const auto lora = lora_of_file({std::move(tensors), std::move(metadata)}, config);
  return lora ? "no error" : lora.error().message;
}

TEST(LoraFile, RefusesWhatIsNoLora) {
  const at::Tensor down = at::ones({2, 4}), up = at::ones({4, 2});
  EXPECT_EQ(error_of({}), "the file holds no LoRA");
  EXPECT_EQ(error_of({{"conv_in.weight", down}}), "LoRA key 'conv_in.weight' is in no naming that is known");
  EXPECT_EQ(error_of({{"lora_unet_conv_in.oft_blocks", down}}),
            "LoRA key 'lora_unet_conv_in.oft_blocks' is of the kind OFT; LoRA, LoCon, DoRA and LyCORIS' LoHa and LoKr "
            "are read");
  EXPECT_EQ(error_of({{"lora_unet_conv_in.alpha", at::ones({1})}}),
            "LoRA key 'lora_unet_conv_in.alpha': both halves of its layer, down and up, are missing");
  EXPECT_EQ(error_of({{"lora_unet_mid_block_attentions_0_proj_in.lora_up.weight", up},
                      {"unet.mid_block.attentions.0.proj_in.lora_B.weight", up}}),
            "LoRA key 'unet.mid_block.attentions.0.proj_in.lora_B.weight': the file holds this layer twice, in two "
            "namings");
  EXPECT_EQ(error_of({{"unet.mid_block.attentions.0.proj_in.lora_A.weight", down}}),
            "LoRA key 'unet.mid_block.attentions.0.proj_in.lora_A.weight': its other half, up, is missing");
  EXPECT_EQ(
      error_of({{"lora_unet_conv_in.lora_down.weight", down}, {"lora_unet_conv_in.lora_up.weight", at::ones({4, 3})}}),
      "LoRA key 'lora_unet_conv_in.lora_up.weight': down of shape [2, 4] and up of shape [4, 3] do not fit together");
  EXPECT_EQ(error_of({{"lora_unet_conv_in.alpha", at::ones({2})}}),
            "LoRA key 'lora_unet_conv_in.alpha' has shape [2], wanted is one number");
}

TEST(LoraFile, InPeftsNamingNeedsItsAdapterConfig) {
  const WeightMap tensors = {{"base_model.model.conv_in.lora_A.weight", at::ones({2, 4})},
                             {"base_model.model.conv_in.lora_B.weight", at::ones({4, 2})}};
  EXPECT_EQ(error_of(tensors),
            "a LoRA in peft's naming does not hold its alpha; put its adapter_config.json with lora_alpha beside it");
  const nlohmann::json config = {{"lora_alpha", 6.0}};
  EXPECT_EQ(lora_of_file({tensors, {}}, &config)->layers.at("conv_in").alpha, 6);
}

TEST(LoraFile, InDiffusersNamingTakesTheRankForAlphaUnlessItSaysOtherwise) {
  const WeightMap tensors = {{"unet.conv_in.lora_A.weight", at::ones({2, 4})},
                             {"unet.conv_in.lora_B.weight", at::ones({4, 2})},
                             {"text_encoder.text_model.encoder.layers.0.mlp.fc1.lora.down.weight", at::ones({3, 4})},
                             {"text_encoder.text_model.encoder.layers.0.mlp.fc1.lora.up.weight", at::ones({4, 3})}};
  const Lora plain = *lora_of_file({tensors, {}});
  EXPECT_EQ(plain.layers.at("conv_in").alpha, 2);
  EXPECT_EQ(plain.layers.at("text_encoder.text_model.encoder.layers.0.mlp.fc1").alpha, 3);
  const Lora told = *lora_of_file({tensors, {{"lora_adapter_metadata", R"({"unet.lora_alpha": 1.5})"}}});
  EXPECT_EQ(told.layers.at("conv_in").alpha, 1.5);
  EXPECT_EQ(error_of(tensors, {{"lora_adapter_metadata", "[1"}}),
            "the metadata lora_adapter_metadata is not a JSON object");
}

TEST(LoraFile, OfPeftCountsAlphaPatternsAndRankStabilisedScales) {
  const auto layer = [](const std::string& path) {
    return WeightMap{{path + ".lora_A.weight", at::ones({4, 2})}, {path + ".lora_B.weight", at::ones({3, 4})}};
  };
  WeightMap tensors = layer("unet.mid_block.resnets.0.conv1");
  tensors.merge(layer("unet.mid_block.attentions.0.proj_in"));
  tensors.merge(layer("text_encoder_2.text_model.encoder.layers.0.mlp.fc1"));
  const Lora lora =
      *lora_of_file({tensors,
                     {{"lora_adapter_metadata",
                       R"({"unet.lora_alpha": 6, "unet.alpha_pattern": {"resnets.0.conv1": 3, "v1": 9, "(x": 8},
          "text_encoder_2.lora_alpha": 5, "text_encoder_2.use_rslora": true})"}}});
  EXPECT_EQ(lora.layers.at("mid_block.resnets.0.conv1").alpha, 3);
  EXPECT_EQ(lora.layers.at("mid_block.attentions.0.proj_in").alpha, 6);
  EXPECT_EQ(lora.layers.at("text_encoder_2.text_model.encoder.layers.0.mlp.fc1").scale(), 5 / 2.0);  // 5 / sqrt(4)
}

TEST(LoraFile, WithAWeightThatIsNoNumberIsRefused) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "diverged_lora.safetensors";
  const auto error_with = [&](double value) {
    at::Tensor up = at::ones({300, 40});
    up[299][39] = value;
    const WeightMap tensors = {{"lora_unet_conv_in.lora_down.weight", at::ones({40, 4})},
                               {"lora_unet_conv_in.lora_up.weight", up.to(at::kHalf)}};
    EXPECT_TRUE(write_safetensors(path, tensors, {}).has_value());
    return read_lora(path).error().message;
  };
  EXPECT_EQ(error_with(std::nan("")),
            path.string() +
                ": tensor 'lora_unet_conv_in.lora_up.weight' holds a NaN: the file is damaged, or its "
                "training diverged");
  EXPECT_EQ(error_with(-INFINITY),
            path.string() +
                ": tensor 'lora_unet_conv_in.lora_up.weight' holds an infinite value: the file is damaged, "
                "or its training diverged");
}

TEST(LoraFile, ThatIsWrongIsNamed) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "wrong_lora.safetensors";
  ASSERT_TRUE(write_safetensors(path, {{"conv_in.weight", at::ones({2})}}, {}).has_value());
  EXPECT_EQ(read_lora(path).error().message,
            path.string() + ": LoRA key 'conv_in.weight' is in no naming that is known");
}

}  // namespace
}  // namespace atelier::diffusion
