#include "diffusion/lora_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/lora_names.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

TEST(KohyaNames, LeadToThePathsOfDiffusersAndBack) {
  for (const char* layer :
       {"down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_out.0", "down_blocks.2.attentions.0.proj_in",
        "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj", "mid_block.resnets.1.time_emb_proj",
        "up_blocks.3.attentions.2.transformer_blocks.0.ff.net.2", "up_blocks.0.resnets.0.conv_shortcut",
        "down_blocks.0.downsamplers.0.conv", "up_blocks.0.upsamplers.0.conv", "time_embedding.linear_1", "conv_in",
        "text_encoder.text_model.encoder.layers.11.self_attn.out_proj",
        "text_encoder.text_model.encoder.layers.0.mlp.fc1"}) {
    EXPECT_EQ(*layer_of_kohya_key(kohya_key(layer)), layer);
  }
  EXPECT_EQ(kohya_key("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"),
            "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q");
  EXPECT_EQ(kohya_key("text_encoder.text_model.encoder.layers.0.mlp.fc1"),
            "lora_te_text_model_encoder_layers_0_mlp_fc1");
}

TEST(KohyaNames, OfSdxlAreRefusedByName) {
  EXPECT_EQ(
      layer_of_kohya_key("lora_unet_input_blocks_4_1_proj_in").error().message,
      "LoRA key 'lora_unet_input_blocks_4_1_proj_in' is in the numbering of SDXL, whose LoRAs are not supported yet");
}

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
          ::testing::Pair("modelspec.implementation", "diffusers"), ::testing::Pair("modelspec.resolution", "512x512"),
          ::testing::Pair("modelspec.sai_model_spec", "1.0.0"), ::testing::Pair("modelspec.title", "person"),
          ::testing::Pair("ss_base_model_version", "sd_v1"), ::testing::Pair("ss_network_alpha", "4"),
          ::testing::Pair("ss_network_dim", "8"), ::testing::Pair("ss_network_module", "networks.lora"),
          ::testing::Pair("ss_v2", "False")));
}

std::string error_of(WeightMap tensors, Metadata metadata = {}, const nlohmann::json* config = nullptr) {
  const auto lora = lora_of_file({std::move(tensors), std::move(metadata)}, config);
  return lora ? "no error" : lora.error().message;
}

TEST(LoraFile, RefusesWhatIsNoLora) {
  const at::Tensor down = at::ones({2, 4}), up = at::ones({4, 2});
  EXPECT_EQ(error_of({}), "the file holds no LoRA");
  EXPECT_EQ(error_of({{"conv_in.weight", down}}), "LoRA key 'conv_in.weight' is in no naming that is known");
  EXPECT_EQ(error_of({{"lora_unet_conv_in.hada_w1_a", down}}),
            "LoRA key 'lora_unet_conv_in.hada_w1_a' is in no naming that is known");
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

TEST(LoraFile, ThatIsWrongIsNamed) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "wrong_lora.safetensors";
  ASSERT_TRUE(write_safetensors(path, {{"conv_in.weight", at::ones({2})}}, {}).has_value());
  EXPECT_EQ(read_lora(path).error().message,
            path.string() + ": LoRA key 'conv_in.weight' is in no naming that is known");
}

}  // namespace
}  // namespace atelier::diffusion
