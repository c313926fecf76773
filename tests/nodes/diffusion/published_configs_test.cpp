// Configurations as published with the models that people use, and the other kinds of models told from them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "diffusion/config.h"
#include "golden_unet.h"

namespace atelier::diffusion {
namespace {

using nlohmann::json;

json blocks(const char* down, const char* up) {
  return {{"down_block_types", json::parse(down)}, {"up_block_types", json::parse(up)}};
}

/// stable-diffusion-v1-5/unet/config.json.
json sd15() {
  json config = json::parse(R"({
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu", "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false, "cross_attention_dim": 768,
    "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
    "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4, "sample_size": 64})");
  config.update(blocks(R"(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"])",
                       R"(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"])"));
  return config;
}

/// stable-diffusion-2-1/unet/config.json.
json sd21() {
  json config = sd15();
  config.update(json::parse(R"({
    "_diffusers_version": "0.10.0.dev0", "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024,
    "dual_cross_attention": false, "only_cross_attention": false, "num_class_embeds": null, "sample_size": 96,
    "use_linear_projection": true, "upcast_attention": true})"));
  return config;
}

/// stable-diffusion-xl-base-1.0/unet/config.json.
json sdxl() {
  json config = json::parse(R"({
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.19.0.dev0", "act_fn": "silu",
    "addition_embed_type": "text_time", "addition_embed_type_num_heads": 64, "addition_time_embed_dim": 256,
    "attention_head_dim": [5, 10, 20], "block_out_channels": [320, 640, 1280], "center_input_sample": false,
    "class_embed_type": null, "class_embeddings_concat": false, "conv_in_kernel": 3, "conv_out_kernel": 3,
    "cross_attention_dim": 2048, "cross_attention_norm": null, "downsample_padding": 1, "dual_cross_attention": false,
    "encoder_hid_dim": null, "encoder_hid_dim_type": null, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
    "layers_per_block": 2, "mid_block_only_cross_attention": null, "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 32,
    "num_attention_heads": null, "num_class_embeds": null, "only_cross_attention": false, "out_channels": 4,
    "projection_class_embeddings_input_dim": 2816, "resnet_out_scale_factor": 1.0, "resnet_skip_time_act": false,
    "resnet_time_scale_shift": "default", "sample_size": 128, "time_cond_proj_dim": null,
    "time_embedding_act_fn": null, "time_embedding_dim": null, "time_embedding_type": "positional",
    "timestep_post_act": null, "transformer_layers_per_block": [1, 2, 10], "upcast_attention": null,
    "use_linear_projection": true})");
  config.update(blocks(R"(["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"])",
                       R"(["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"])"));
  return config;
}

/// What the keys' of a fine-tune say beside the model: where it comes from, attention, EMA.
json with_fine_tunes_keys(json config) {
  config.update(json::parse(R"({
    "_name_or_path": "/home/somebody/output", "attention_type": "default", "dropout": 0.0, "decay": 0.9999,
    "inv_gamma": 1.0, "min_decay": 0.0, "optimization_step": 150000, "power": 0.6666666666666666,
    "update_after_step": 0, "use_ema_warmup": false, "mid_block_only_cross_attention": false,
    "reverse_transformer_layers_per_block": null})"));
  return config;
}

std::string error_of(const json& config) {
  const auto parsed = parse_unet_config(config, "unet/config.json");
  return parsed ? "" : parsed.error().message;
}

TEST(PublishedConfigs, OfUNetsAreUnderstood) {
  const auto one = must(parse_unet_config(with_fine_tunes_keys(sd15()), ""));
  ASSERT_EQ(one.levels.size(), 4u);
  EXPECT_EQ(one.levels[3].heads, 8);
  EXPECT_FALSE(one.upcast_attention);
  EXPECT_FALSE(one.text_time);
  const auto two = must(parse_unet_config(with_fine_tunes_keys(sd21()), ""));
  EXPECT_EQ(two.levels[1].heads, 10) << "attention_head_dim is the number of heads";
  EXPECT_TRUE(two.upcast_attention);
  EXPECT_TRUE(two.linear_projection);
  const auto xl = must(parse_unet_config(with_fine_tunes_keys(sdxl()), ""));
  ASSERT_EQ(xl.levels.size(), 3u);
  EXPECT_FALSE(xl.levels[0].cross_attention);
  EXPECT_EQ(xl.levels[2].transformer_layers, 10);
  EXPECT_FALSE(xl.upcast_attention);
  ASSERT_TRUE(xl.text_time);
  EXPECT_EQ(xl.text_time->size_waves, 256);
  EXPECT_EQ(xl.text_time->pooled(), 1280);
}

TEST(PublishedConfigs, HaveAsManyWeightsAsTheModels) {
  const auto count = [](const json& config) {
    WeightReader blank = WeightReader::blank();
    must(UNet::create(must(parse_unet_config(config, "")), blank));
    int64_t all = 0;
    for (const auto& [name, shape] : blank.asked()) all += c10::multiply_integers(shape);
    return all;
  };
  EXPECT_EQ(count(sd15()), 859'520'964);
  EXPECT_EQ(count(sd21()), 865'910'724);
  EXPECT_EQ(count(sdxl()), 2'567'463'684);
}

TEST(PublishedConfigs, OfOtherKindsOfModelsAreRefusedByWhatTheyAre) {
  const auto with = [](json config, const json& changes) {
    config.update(changes);
    return error_of(config);
  };
  EXPECT_EQ(with(sd15(), {{"in_channels", 9}}),
            "unet/config.json: 'in_channels' is 9: this is an inpainting model, which is not supported; a base has 4");
  EXPECT_EQ(with(sd15(), {{"in_channels", 8}}),
            "unet/config.json: 'in_channels' is 8: this is an instruct-pix2pix model, which is not supported; a base "
            "has 4");
  EXPECT_EQ(with(sd21(), {{"in_channels", 5}}),
            "unet/config.json: 'in_channels' is 5: this is a depth-to-image model, which is not supported; a base has "
            "4");
  EXPECT_EQ(with(sd21(), {{"in_channels", 7}, {"num_class_embeds", 1000}}),
            "unet/config.json: 'in_channels' is 7: this is an upscaler, which is not supported; a base has 4");
  json refiner = sdxl();
  refiner.update(blocks(R"(["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"])",
                        R"(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"])"));
  EXPECT_EQ(with(refiner, {{"block_out_channels", {384, 768, 1536, 1536}},
                           {"attention_head_dim", {6, 12, 24, 24}},
                           {"cross_attention_dim", 1280},
                           {"transformer_layers_per_block", 4},
                           {"projection_class_embeddings_input_dim", 2560}}),
            "unet/config.json: this is SDXL's refiner ('projection_class_embeddings_input_dim' is 2560), which is not "
            "supported");
  EXPECT_EQ(with(sdxl(), {{"projection_class_embeddings_input_dim", 1000}}),
            "unet/config.json: 'projection_class_embeddings_input_dim' is 1000 and 'addition_time_embed_dim' 256; "
            "expected more than six times an even size");
  EXPECT_EQ(with(sd15(), {{"addition_time_embed_dim", 256}}),
            "unet/config.json: 'addition_time_embed_dim' is 256, which is not supported");
}

TEST(PublishedConfigs, OfTextEncodersAreUnderstood) {
  // stable-diffusion-xl-base-1.0/text_encoder_2/config.json
  const auto second = must(parse_text_config(json::parse(R"({
    "architectures": ["CLIPTextModelWithProjection"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0,
    "eos_token_id": 2, "hidden_act": "gelu", "hidden_size": 1280, "initializer_factor": 1.0,
    "initializer_range": 0.02, "intermediate_size": 5120, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
    "model_type": "clip_text_model", "num_attention_heads": 20, "num_hidden_layers": 32, "pad_token_id": 1,
    "projection_dim": 1280, "torch_dtype": "float16", "transformers_version": "4.32.0.dev0",
    "vocab_size": 49408})"),
                                             ""));
  EXPECT_TRUE(second.with_projection);
  EXPECT_EQ(second.projection_dim, 1280);
  EXPECT_EQ(second.eos_id, 2);
  EXPECT_EQ(second.activation, Activation::gelu);
  // stable-diffusion-v1-5/text_encoder/config.json
  const auto first = must(parse_text_config(json::parse(R"({
    "_name_or_path": "openai/clip-vit-large-patch14", "architectures": ["CLIPTextModel"], "attention_dropout": 0.0,
    "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 768,
    "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77, "model_type": "clip_text_model", "num_attention_heads": 12,
    "num_hidden_layers": 12, "pad_token_id": 1, "projection_dim": 768, "torch_dtype": "float32",
    "transformers_version": "4.22.0.dev0", "vocab_size": 49408})"),
                                            ""));
  EXPECT_FALSE(first.with_projection);
}

TEST(PublishedConfigs, OfVaesAreUnderstood) {
  // stable-diffusion-xl-base-1.0/vae/config.json, and the one whose half precision was mended
  json config = json::parse(R"({
    "_class_name": "AutoencoderKL", "_diffusers_version": "0.20.0.dev0", "_name_or_path": "../sdxl-vae/",
    "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
    "force_upcast": true, "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32,
    "out_channels": 3, "sample_size": 1024, "scaling_factor": 0.13025,
    "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]})");
  EXPECT_TRUE(must(parse_vae_config(config, "")).force_upcast);
  config["force_upcast"] = false;
  EXPECT_FALSE(must(parse_vae_config(config, "")).force_upcast);
  config["latents_mean"] = {0.1, 0.2, 0.3, 0.4};
  EXPECT_EQ(parse_vae_config(config, "vae/config.json").error().message,
            "vae/config.json: 'latents_mean' is [0.1,0.2,0.3,0.4], which is not supported");
}

}  // namespace
}  // namespace atelier::diffusion
