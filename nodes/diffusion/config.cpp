#include "diffusion/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "diffusion/json_reader.h"

namespace atelier::diffusion {
namespace {

using Json = nlohmann::json;

template <class T>
Result<T> checked(JsonReader& reader, T value) {
  if (auto ok = reader.check(); !ok) return tl::unexpected(ok.error());
  return value;
}

/// Group norm needs channels that its groups divide.
void check_groups(JsonReader& reader, const std::vector<int64_t>& channels, int64_t groups) {
  for (const int64_t n : channels) {
    if (n % groups != 0) {
      reader.mistake(fmt::format("'block_out_channels' has {}, which norm_num_groups {} does not divide", n, groups));
    }
  }
}

bool is_cross_attention(JsonReader& reader, const std::string& block, const std::string& plain,
                        const std::string& cross, const std::string& key) {
  if (block != plain && block != cross) {
    reader.mistake(fmt::format("'{}' has {}, which is not supported; supported: {}, {}", key, block, cross, plain));
  }
  return block == cross;
}

/// Block types say where attention is; the up blocks have to mirror the down blocks, as in all SD models.
std::vector<bool> read_attention(JsonReader& reader, std::size_t levels) {
  const auto down = reader.texts(
      "down_block_types", {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"});
  const auto up =
      reader.texts("up_block_types", {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"});
  std::vector<bool> attention(levels, false);
  if (down.size() != levels || up.size() != levels) {
    reader.mistake(
        fmt::format("'block_out_channels' has {} values, 'down_block_types' {} and 'up_block_types' {}; "
                    "expected as many of each",
                    levels, down.size(), up.size()));
    return attention;
  }
  for (std::size_t i = 0; i < levels; ++i) {
    attention[i] = is_cross_attention(reader, down[i], "DownBlock2D", "CrossAttnDownBlock2D", "down_block_types");
    const bool mirrored =
        is_cross_attention(reader, up[levels - 1 - i], "UpBlock2D", "CrossAttnUpBlock2D", "up_block_types");
    if (attention[i] != mirrored) reader.mistake("'up_block_types' does not mirror 'down_block_types'");
  }
  return attention;
}

/// What a number of input channels other than 4 tells.
void refuse_input_channels(JsonReader& reader, int64_t channels) {
  const std::map<int64_t, const char*> kinds = {
      {5, "a depth-to-image model"}, {7, "an upscaler"}, {8, "an instruct-pix2pix model"}, {9, "an inpainting model"}};
  if (const auto kind = kinds.find(channels); kind != kinds.end()) {
    reader.mistake(
        fmt::format("'in_channels' is {}: this is {}, which is not supported; a base has 4", channels, kind->second));
  }
}

std::optional<TextTimeConfig> read_text_time(JsonReader& reader) {
  constexpr int64_t kRefinerInput = 2560;  // it has an aesthetic score in the place of the target's height and width
  reader.only("addition_embed_type", {"text_time"});
  if (!reader.has("addition_embed_type")) {
    for (const char* key : {"addition_time_embed_dim", "projection_class_embeddings_input_dim"}) reader.only(key, {});
    return std::nullopt;
  }
  TextTimeConfig config;
  config.size_waves = reader.size("addition_time_embed_dim", 256);
  config.input = reader.size("projection_class_embeddings_input_dim", 2816);
  if (config.input == kRefinerInput && config.size_waves == 256) {
    reader.mistake("this is SDXL's refiner ('projection_class_embeddings_input_dim' is 2560), which is not supported");
  } else if (config.pooled() < 1 || config.size_waves % 2 != 0) {
    reader.mistake(
        fmt::format("'projection_class_embeddings_input_dim' is {} and 'addition_time_embed_dim' {}; "
                    "expected more than six times an even size",
                    config.input, config.size_waves));
  }
  return config;
}

/// Everything diffusers can vary and SD 1.x, 2.x and SDXL do not.
void refuse_unet_options(JsonReader& reader) {
  reader.only("_class_name", {"UNet2DConditionModel"});
  reader.only("act_fn", {"silu", "swish"});
  reader.only("mid_block_type", {"UNetMidBlock2DCrossAttn"});
  reader.only("resnet_time_scale_shift", {"default"});
  reader.only("time_embedding_type", {"positional"});
  reader.only("attention_type", {"default"});
  reader.only("flip_sin_to_cos", {true});
  reader.only("center_input_sample", {false});
  reader.only("only_cross_attention", {false});
  reader.only("dual_cross_attention", {false});
  reader.only("freq_shift", {0});
  reader.only("downsample_padding", {1});
  reader.only("conv_in_kernel", {3});
  reader.only("conv_out_kernel", {3});
  reader.only("mid_block_scale_factor", {1});
  reader.only("resnet_out_scale_factor", {1});
  reader.only("mid_block_only_cross_attention", {false});
  // The width of a part that the keys above leave out; and what diffusers' EMA writes into the file beside the model.
  reader.ignore({"addition_embed_type_num_heads", "decay", "inv_gamma", "min_decay", "optimization_step", "power",
                 "update_after_step", "use_ema_warmup"});
  if (reader.number("dropout", 0) != 0) reader.mistake("'dropout' is not 0, which is not supported");
  for (const char* key : {"class_embed_type", "encoder_hid_dim", "encoder_hid_dim_type", "num_attention_heads",
                          "num_class_embeds", "reverse_transformer_layers_per_block", "time_cond_proj_dim",
                          "time_embedding_act_fn", "time_embedding_dim", "timestep_post_act", "cross_attention_norm"}) {
    reader.only(key, {});
  }
  reader.refuse_unknown();
}

}  // namespace

Result<UNetConfig> parse_unet_config(const Json& json, const std::string& file) {
  JsonReader reader(json, file);
  UNetConfig config;
  config.in_channels = reader.size("in_channels", 4);
  refuse_input_channels(reader, config.in_channels);
  config.text_time = read_text_time(reader);
  config.out_channels = reader.size("out_channels", 4);
  config.layers_per_block = reader.size("layers_per_block", 2);
  config.cross_attention_dim = reader.size("cross_attention_dim", 1280);
  config.linear_projection = reader.flag("use_linear_projection", false);
  config.upcast_attention = reader.flag("upcast_attention", false);
  config.norm_groups = reader.size("norm_num_groups", 32);
  config.norm_eps = reader.number("norm_eps", 1e-5);
  config.sample_size = reader.size("sample_size", 64);
  const auto channels = reader.sizes("block_out_channels", {320, 640, 1280, 1280});
  const auto heads = reader.sizes_for_each("attention_head_dim", 8, channels.size());
  const auto layers = reader.sizes_for_each("transformer_layers_per_block", 1, channels.size());
  const auto attention = read_attention(reader, channels.size());
  check_groups(reader, channels, config.norm_groups);
  config.levels.clear();
  for (std::size_t i = 0; i < channels.size(); ++i) {
    if (channels[i] % heads[i] != 0) {
      reader.mistake(fmt::format("'attention_head_dim' has {}, which does not divide the {} channels of its block",
                                 heads[i], channels[i]));
    }
    config.levels.push_back({channels[i], attention[i], heads[i], layers[i]});
  }
  refuse_unet_options(reader);
  return checked(reader, config);
}

Result<VaeConfig> parse_vae_config(const Json& json, const std::string& file) {
  JsonReader reader(json, file);
  VaeConfig config;
  config.in_channels = reader.size("in_channels", 3);
  config.out_channels = reader.size("out_channels", 3);
  config.latent_channels = reader.size("latent_channels", 4);
  config.block_out_channels = reader.sizes("block_out_channels", {64});
  config.layers_per_block = reader.size("layers_per_block", 1);
  config.norm_groups = reader.size("norm_num_groups", 32);
  config.quant_conv = reader.flag("use_quant_conv", true);
  config.post_quant_conv = reader.flag("use_post_quant_conv", true);
  config.mid_block_attention = reader.flag("mid_block_add_attention", true);
  config.scaling_factor = reader.number("scaling_factor", 0.18215);
  config.force_upcast = reader.flag("force_upcast", true);
  check_groups(reader, config.block_out_channels, config.norm_groups);
  for (const auto& [key, supported] :
       {std::pair{"down_block_types", "DownEncoderBlock2D"}, std::pair{"up_block_types", "UpDecoderBlock2D"}}) {
    const auto blocks = reader.texts(key, {supported});
    for (const auto& block : blocks) {
      if (block != supported) {
        reader.mistake(fmt::format("'{}' has {}, which is not supported; supported: {}", key, block, supported));
      }
    }
    if (blocks.size() != config.block_out_channels.size()) {
      reader.mistake(fmt::format("'{}' has {} values, 'block_out_channels' {}; expected as many", key, blocks.size(),
                                 config.block_out_channels.size()));
    }
  }
  reader.only("_class_name", {"AutoencoderKL"});
  reader.only("act_fn", {"silu", "swish"});
  for (const char* key : {"latents_mean", "latents_std", "shift_factor"}) reader.only(key, {});
  reader.ignore({"sample_size"});
  reader.refuse_unknown();
  return checked(reader, config);
}

Result<TextConfig> parse_text_config(const Json& json, const std::string& file) {
  JsonReader reader(json, file);
  TextConfig config;
  config.vocab_size = reader.size("vocab_size", 49408);
  config.hidden_size = reader.size("hidden_size", 512);
  config.intermediate_size = reader.size("intermediate_size", 2048);
  config.layers = reader.size("num_hidden_layers", 12);
  config.heads = reader.size("num_attention_heads", 8);
  config.max_positions = reader.size("max_position_embeddings", 77);
  config.norm_eps = reader.number("layer_norm_eps", 1e-5);
  config.eos_id = reader.integer("eos_token_id", 49407);
  config.projection_dim = reader.size("projection_dim", 512);
  const auto classes = reader.texts("architectures", {"CLIPTextModel"});
  config.with_projection = std::ranges::find(classes, "CLIPTextModelWithProjection") != classes.end();
  const auto activation = reader.text("hidden_act", "quick_gelu");
  if (activation != "quick_gelu" && activation != "gelu") {
    reader.mistake(
        fmt::format("'hidden_act' is \"{}\", which is not supported; supported: \"gelu\", \"quick_gelu\"", activation));
  }
  config.activation = activation == "gelu" ? Activation::gelu : Activation::quick_gelu;
  if (config.hidden_size % config.heads != 0) {
    reader.mistake(fmt::format("'num_attention_heads' is {}, which does not divide 'hidden_size' {}", config.heads,
                               config.hidden_size));
  }
  // transformers writes many keys that only other models read, so unknown ones are no mistake here.
  reader.only("model_type", {"clip_text_model", "clip"});
  return checked(reader, config);
}

}  // namespace atelier::diffusion
