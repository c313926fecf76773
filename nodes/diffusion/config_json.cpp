#include "diffusion/config_json.h"

#include <ranges>
#include <string>
#include <vector>

namespace atelier::diffusion {
namespace {

using Json = nlohmann::json;

constexpr const char* kDiffusersVersion = "0.42.1";

}  // namespace

Json unet_json(const UNetConfig& config) {
  std::vector<int64_t> channels, heads, layers;
  std::vector<std::string> down, up;
  for (const UNetLevel& level : config.levels) {
    channels.push_back(level.channels);
    heads.push_back(level.heads);
    layers.push_back(level.transformer_layers);
    down.emplace_back(level.cross_attention ? "CrossAttnDownBlock2D" : "DownBlock2D");
  }
  for (const UNetLevel& level : config.levels | std::views::reverse) {
    up.emplace_back(level.cross_attention ? "CrossAttnUpBlock2D" : "UpBlock2D");
  }
  Json json = {{"_class_name", "UNet2DConditionModel"},
               {"_diffusers_version", kDiffusersVersion},
               {"sample_size", config.sample_size},
               {"in_channels", config.in_channels},
               {"out_channels", config.out_channels},
               {"block_out_channels", channels},
               {"down_block_types", down},
               {"up_block_types", up},
               {"layers_per_block", config.layers_per_block},
               {"transformer_layers_per_block", layers},
               {"attention_head_dim", heads},  // diffusers' name for the number of heads
               {"cross_attention_dim", config.cross_attention_dim},
               {"use_linear_projection", config.linear_projection},
               {"norm_num_groups", config.norm_groups},
               {"norm_eps", config.norm_eps}};
  if (config.upcast_attention) json["upcast_attention"] = true;
  if (config.text_time) {
    json["addition_embed_type"] = "text_time";
    json["addition_time_embed_dim"] = config.text_time->size_waves;
    json["projection_class_embeddings_input_dim"] = config.text_time->input;
  }
  return json;
}

Json vae_json(const VaeConfig& config, int64_t sample_px) {
  const std::size_t blocks = config.block_out_channels.size();
  return {{"_class_name", "AutoencoderKL"},
          {"_diffusers_version", kDiffusersVersion},
          {"sample_size", sample_px},
          {"in_channels", config.in_channels},
          {"out_channels", config.out_channels},
          {"latent_channels", config.latent_channels},
          {"block_out_channels", config.block_out_channels},
          {"down_block_types", std::vector<std::string>(blocks, "DownEncoderBlock2D")},
          {"up_block_types", std::vector<std::string>(blocks, "UpDecoderBlock2D")},
          {"layers_per_block", config.layers_per_block},
          {"norm_num_groups", config.norm_groups},
          {"use_quant_conv", config.quant_conv},
          {"use_post_quant_conv", config.post_quant_conv},
          {"mid_block_add_attention", config.mid_block_attention},
          {"force_upcast", config.force_upcast},
          {"scaling_factor", config.scaling_factor}};
}

Json text_json(const TextConfig& config, const std::string& dtype) {
  return {{"architectures", {config.with_projection ? "CLIPTextModelWithProjection" : "CLIPTextModel"}},
          {"model_type", "clip_text_model"},
          {"vocab_size", config.vocab_size},
          {"hidden_size", config.hidden_size},
          {"intermediate_size", config.intermediate_size},
          {"num_hidden_layers", config.layers},
          {"num_attention_heads", config.heads},
          {"max_position_embeddings", config.max_positions},
          {"hidden_act", config.activation == Activation::gelu ? "gelu" : "quick_gelu"},
          {"layer_norm_eps", config.norm_eps},
          {"projection_dim", config.projection_dim},
          {"bos_token_id", 49406},
          {"eos_token_id", config.eos_id},
          {"pad_token_id", 1},
          {"torch_dtype", dtype}};
}

Json scheduler_json(const SchedulerConfig& config) {
  Json json{{"_class_name", "DDIMScheduler"},
            {"_diffusers_version", kDiffusersVersion},
            {"num_train_timesteps", config.num_train_timesteps},
            {"beta_schedule", config.beta_schedule},
            {"beta_start", config.beta_start},
            {"beta_end", config.beta_end},
            {"rescale_betas_zero_snr", config.rescale_betas_zero_snr},
            {"prediction_type", config.prediction_type == PredictionType::epsilon ? "epsilon" : "v_prediction"},
            {"steps_offset", config.steps_offset},
            {"set_alpha_to_one", config.set_alpha_to_one},
            {"clip_sample", config.clip_sample},
            {"clip_sample_range", config.clip_sample_range}};
  if (config.timestep_spacing) json["timestep_spacing"] = name_of(*config.timestep_spacing);
  // What DDIM has no key for is told where it is not as other schedulers have it by themselves.
  if (config.final_sigma == FinalSigma::sigma_min) json["final_sigmas_type"] = "sigma_min";
  if (!config.lower_order_final) json["lower_order_final"] = false;
  if (config.euler_at_final) json["euler_at_final"] = true;
  return json;
}

Json model_index_json(Architecture architecture) {
  const bool sdxl = architecture == Architecture::sdxl;
  Json json = {{"_class_name", sdxl ? "StableDiffusionXLPipeline" : "StableDiffusionPipeline"},
               {"_diffusers_version", kDiffusersVersion},
               {"scheduler", {"diffusers", "DDIMScheduler"}},
               {"unet", {"diffusers", "UNet2DConditionModel"}},
               {"vae", {"diffusers", "AutoencoderKL"}},
               {"text_encoder", {"transformers", "CLIPTextModel"}},
               {"tokenizer", {"transformers", "CLIPTokenizer"}}};
  if (sdxl) {
    json["text_encoder_2"] = {"transformers", "CLIPTextModelWithProjection"};
    json["tokenizer_2"] = {"transformers", "CLIPTokenizer"};
    json["force_zeros_for_empty_prompt"] = true;
  } else {
    json["safety_checker"] = {nullptr, nullptr};
    json["feature_extractor"] = {nullptr, nullptr};
    json["requires_safety_checker"] = false;
  }
  return json;
}

}  // namespace atelier::diffusion
