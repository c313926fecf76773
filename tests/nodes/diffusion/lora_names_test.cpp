#include "diffusion/lora_names.h"

#include <gtest/gtest.h>

#include "diffusion/lora_numbering.h"

namespace atelier::diffusion {
namespace {

/// Every kind of layer that a LoRA can change.
constexpr const char* kLayers[] = {"down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_out.0",
                                   "down_blocks.2.attentions.0.proj_in",
                                   "mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj",
                                   "mid_block.attentions.0.proj_out",
                                   "mid_block.resnets.1.time_emb_proj",
                                   "mid_block.resnets.0.conv1",
                                   "up_blocks.1.attentions.2.transformer_blocks.0.ff.net.2",
                                   "up_blocks.0.resnets.0.conv_shortcut",
                                   "up_blocks.2.resnets.2.conv2",
                                   "down_blocks.0.downsamplers.0.conv",
                                   "up_blocks.1.upsamplers.0.conv",
                                   "time_embedding.linear_1",
                                   "time_embedding.linear_2",
                                   "add_embedding.linear_1",
                                   "add_embedding.linear_2",
                                   "conv_in",
                                   "conv_out",
                                   "text_encoder.text_model.encoder.layers.11.self_attn.out_proj",
                                   "text_encoder.text_model.encoder.layers.0.mlp.fc1",
                                   "text_encoder_2.text_model.encoder.layers.31.self_attn.q_proj",
                                   "text_encoder_2.text_projection"};

class KohyaNames : public ::testing::TestWithParam<Architecture> {};
INSTANTIATE_TEST_SUITE_P(Architectures, KohyaNames,
                         ::testing::Values(Architecture::sd1, Architecture::sd2, Architecture::sdxl));

TEST_P(KohyaNames, LeadToThePathsOfDiffusersAndBack) {
  for (const char* layer : kLayers) EXPECT_EQ(*layer_of_kohya_key(kohya_key(layer, GetParam())), layer);
}

TEST(KohyaName, OfSd1And2IsTheModulePath) {
  for (const auto architecture : {Architecture::sd1, Architecture::sd2}) {
    EXPECT_EQ(kohya_key("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", architecture),
              "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q");
    EXPECT_EQ(kohya_key("text_encoder.text_model.encoder.layers.0.mlp.fc1", architecture),
              "lora_te_text_model_encoder_layers_0_mlp_fc1");
  }
}

TEST(KohyaName, OfSdxlIsNumberedInBlocks) {
  const std::pair<const char*, const char*> names[] = {
      {"down_blocks.1.attentions.0.proj_in", "lora_unet_input_blocks_4_1_proj_in"},
      {"down_blocks.2.attentions.1.transformer_blocks.3.attn2.to_k",
       "lora_unet_input_blocks_8_1_transformer_blocks_3_attn2_to_k"},
      {"down_blocks.0.resnets.1.conv1", "lora_unet_input_blocks_2_0_in_layers_2"},
      {"down_blocks.1.resnets.0.conv_shortcut", "lora_unet_input_blocks_4_0_skip_connection"},
      {"down_blocks.0.downsamplers.0.conv", "lora_unet_input_blocks_3_0_op"},
      {"mid_block.resnets.1.time_emb_proj", "lora_unet_middle_block_2_emb_layers_1"},
      {"mid_block.attentions.0.transformer_blocks.9.ff.net.2",
       "lora_unet_middle_block_1_transformer_blocks_9_ff_net_2"},
      {"up_blocks.0.attentions.2.proj_out", "lora_unet_output_blocks_2_1_proj_out"},
      {"up_blocks.1.upsamplers.0.conv", "lora_unet_output_blocks_5_2_conv"},
      {"up_blocks.2.resnets.2.conv2", "lora_unet_output_blocks_8_0_out_layers_3"},
      {"conv_in", "lora_unet_input_blocks_0_0"},
      {"conv_out", "lora_unet_out_2"},
      {"time_embedding.linear_2", "lora_unet_time_embed_2"},
      {"add_embedding.linear_1", "lora_unet_label_emb_0_0"},
      {"text_encoder.text_model.encoder.layers.0.mlp.fc1", "lora_te1_text_model_encoder_layers_0_mlp_fc1"},
      {"text_encoder_2.text_model.encoder.layers.0.mlp.fc1", "lora_te2_text_model_encoder_layers_0_mlp_fc1"}};
  for (const auto& [layer, key] : names) {
    EXPECT_EQ(kohya_key(layer, Architecture::sdxl), key);
    EXPECT_EQ(*layer_of_kohya_key(key), layer);
  }
}

TEST(KohyaName, OfSdxlIsReadInModulePathsToo) {
  EXPECT_EQ(*layer_of_kohya_key("lora_unet_down_blocks_1_attentions_0_proj_in"), "down_blocks.1.attentions.0.proj_in");
}

TEST(KohyaName, OfAnUpsamplerIsReadInBothPlaces) {
  EXPECT_EQ(*layer_of_kohya_key("lora_unet_output_blocks_2_1_conv"), "up_blocks.0.upsamplers.0.conv");
  EXPECT_EQ(*layer_of_kohya_key("lora_unet_output_blocks_2_2_conv"), "up_blocks.0.upsamplers.0.conv");
}

TEST(KohyaName, OfNoPlaceInTheNumberingIsRefused) {
  for (const char* key :
       {"lora_unet_input_blocks_4_2_proj_in", "lora_unet_middle_block_3_proj_in", "lora_unet_output_blocks_x_1_proj_in",
        "lora_unet_input_blocks_99999999999999999999_1_proj_in", "lora_unet_input_blocks_4_0_in_layers_7",
        "lora_unet_out_3", "lora_transformer_x", "lora_te3_text_model"}) {
    const auto layer = layer_of_kohya_key(key);
    ASSERT_FALSE(layer) << key << " gave " << *layer;
    EXPECT_EQ(layer.error().message, std::string("LoRA key '") + key + "' is in no naming that is known");
  }
}

TEST(BlockPath, IsNothingForLayersThatTheNumberingHasNoPlaceFor) {
  EXPECT_EQ(block_path("down_blocks.0.resnets.2.conv1"), std::nullopt);  // published models have two
  EXPECT_EQ(block_path("up_blocks.0.resnets.3.conv1"), std::nullopt);
  EXPECT_EQ(block_path("down_blocks.0.motion_modules.0.proj_in"), std::nullopt);
  EXPECT_EQ(block_path("mid_block.attentions.0"), std::nullopt);
  EXPECT_EQ(kohya_key("down_blocks.0.resnets.2.conv1", Architecture::sdxl), "lora_unet_down_blocks_0_resnets_2_conv1");
}

struct Parsed {
  const char* key;
  LoraNaming naming;
  LoraFactor factor;
  const char* layer;
};

class LoraKeys : public ::testing::TestWithParam<Parsed> {};
INSTANTIATE_TEST_SUITE_P(
    Namings, LoraKeys,
    ::testing::Values(
        Parsed{"unet.mid_block.attentions.0.proj_in.lora_A.weight", LoraNaming::diffusers, LoraFactor::down,
               "mid_block.attentions.0.proj_in"},
        Parsed{"unet.mid_block.attentions.0.proj_in.alpha", LoraNaming::diffusers, LoraFactor::alpha,
               "mid_block.attentions.0.proj_in"},
        Parsed{"text_encoder_2.text_model.encoder.layers.0.self_attn.k_proj.lora_B.weight", LoraNaming::diffusers,
               LoraFactor::up, "text_encoder_2.text_model.encoder.layers.0.self_attn.k_proj"},
        Parsed{"text_encoder.encoder.layers.0.mlp.fc2.lora_B.weight", LoraNaming::diffusers, LoraFactor::up,
               "text_encoder.text_model.encoder.layers.0.mlp.fc2"},
        Parsed{"text_encoder.text_model.encoder.layers.0.mlp.fc2.lora_linear_layer.up.weight", LoraNaming::diffusers,
               LoraFactor::up, "text_encoder.text_model.encoder.layers.0.mlp.fc2"},
        Parsed{"unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight",
               LoraNaming::diffusers, LoraFactor::down, "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0"},
        Parsed{"unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.up.weight",
               LoraNaming::diffusers, LoraFactor::up, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"},
        Parsed{"text_encoder.text_model.encoder.layers.1.self_attn.to_v_lora.down.weight", LoraNaming::diffusers,
               LoraFactor::down, "text_encoder.text_model.encoder.layers.1.self_attn.v_proj"},
        Parsed{"text_encoder.text_model.encoder.layers.1.self_attn.to_out_lora.down.weight", LoraNaming::diffusers,
               LoraFactor::down, "text_encoder.text_model.encoder.layers.1.self_attn.out_proj"},
        Parsed{"base_model.model.mid_block.resnets.0.conv1.lora_A.weight", LoraNaming::peft, LoraFactor::down,
               "mid_block.resnets.0.conv1"},
        Parsed{"base_model.model.mid_block.resnets.0.conv1.lora_B.default.weight", LoraNaming::peft, LoraFactor::up,
               "mid_block.resnets.0.conv1"},
        Parsed{"base_model.model.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight", LoraNaming::peft,
               LoraFactor::down, "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"},
        Parsed{"base_model.model.encoder.layers.0.self_attn.q_proj.lora_A.weight", LoraNaming::peft, LoraFactor::down,
               "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"},
        Parsed{"base_model.model.text_encoder_2.text_model.encoder.layers.0.mlp.fc1.lora_A.weight", LoraNaming::peft,
               LoraFactor::down, "text_encoder_2.text_model.encoder.layers.0.mlp.fc1"},
        Parsed{"lora_unet_middle_block_1_proj_in.alpha", LoraNaming::kohya, LoraFactor::alpha,
               "mid_block.attentions.0.proj_in"}));

TEST_P(LoraKeys, AreTakenApart) {
  const auto key = parse_lora_key(GetParam().key);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->naming, GetParam().naming);
  EXPECT_EQ(key->factor, GetParam().factor);
  EXPECT_EQ(key->layer, GetParam().layer);
}

TEST(LoraKeys, OfOtherKindsOfAdaptersAreRefusedByTheirNames) {
  const std::pair<const char*, const char*> kinds[] = {
      {"lora_unet_mid_block_attentions_0_proj_in.oft_blocks", "OFT"},
      {"lora_unet_mid_block_attentions_0_proj_in.on_input", "IA3"},
      {"lora_unet_mid_block_attentions_0_norm.w_norm", "Norm"},
      {"base_model.model.mid_block.attentions.0.proj_in.hada_w1_a", "LoHa in peft's naming"},
      {"base_model.model.mid_block.attentions.0.proj_in.lokr_w1", "LoKr in peft's naming"}};
  for (const auto& [key, kind] : kinds)
    EXPECT_EQ(parse_lora_key(key).error().message, std::string("LoRA key '") + key + "' is of the kind " + kind +
                                                       "; LoRA, LoCon, DoRA and LyCORIS' LoHa and LoKr are read");
  EXPECT_EQ(parse_lora_key("unet.").error().message, "LoRA key 'unet.' is in no naming that is known");
}

TEST(LoraKeys, ThatAreUnknownAreToldWithTheNearestThatIsKnown) {
  const auto error_of = [](const char* key) { return parse_lora_key(key).error().message; };
  EXPECT_EQ(error_of("lora_unet_conv_in.lora_dwn.weight"),
            "LoRA key 'lora_unet_conv_in.lora_dwn.weight' is in no naming that is known; the nearest that is known is "
            "'lora_unet_conv_in.lora_down.weight'");
  EXPECT_EQ(error_of("lora_unt_mid_block_attentions_0_proj_in.alpha"),
            "LoRA key 'lora_unt_mid_block_attentions_0_proj_in.alpha' is in no naming that is known; the nearest that "
            "is known is 'lora_unet_mid_block_attentions_0_proj_in.alpha'");
  EXPECT_EQ(error_of("text_encodr.text_model.encoder.layers.0.mlp.fc1.lora_A.weigth"),
            "LoRA key 'text_encodr.text_model.encoder.layers.0.mlp.fc1.lora_A.weigth' is in no naming that is known; "
            "the nearest that is known is 'text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight'");
  EXPECT_EQ(error_of("model.diffusion_model.out.2.bias"),
            "LoRA key 'model.diffusion_model.out.2.bias' is in no naming that is known");
}

TEST(LoraKeys, OfEveryTensorOfALayerAreKnown) {
  const std::string layer = "mid_block.attentions.0.proj_in", kohya = "lora_unet_mid_block_attentions_0_proj_in";
  for (const LoraFactor factor :
       {LoraFactor::mid, LoraFactor::magnitude, LoraFactor::hada_w1_a, LoraFactor::hada_t2, LoraFactor::lokr_w1,
        LoraFactor::lokr_w1_a, LoraFactor::lokr_w2_b, LoraFactor::lokr_t2}) {
    const std::string weight = factor == LoraFactor::mid ? ".weight" : "";
    const auto key = parse_lora_key(kohya + "." + std::string(name_of(factor)) + weight);
    ASSERT_TRUE(key) << key.error().message;
    EXPECT_EQ(key->factor, factor);
    EXPECT_EQ(key->layer, layer);
  }
  EXPECT_EQ(parse_lora_key("unet." + layer + ".lora_magnitude_vector")->factor, LoraFactor::magnitude);
}

}  // namespace
}  // namespace atelier::diffusion
