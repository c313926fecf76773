#include "diffusion/original_detect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "diffusion/original_layout.h"

namespace atelier::diffusion {
namespace {

constexpr int64_t kHeadSize = 64, kHeadsOfSd1 = 8;
constexpr double kSdxlScalingFactor = 0.13025;
constexpr int64_t kLegacyEos = 2;  // as the published text encoders say it

/// Shapes of the names that begin with a prefix, asked for by the names behind it.
class Shapes {
 public:
  enum class Keys { plain, averaged };  ///< averaged: see averaged_key()
  Shapes(const TensorEntries& entries, std::string_view prefix, Keys keys = Keys::plain)
      : entries_(entries), prefix_(prefix), keys_(keys) {}

  bool has(const std::string& key) const { return entries_.contains(stored(key)); }
  bool any(const std::string& start) const {
    const auto found = entries_.lower_bound(stored(start));
    return found != entries_.end() && found->first.starts_with(stored(start));
  }
  /// 0 where there is no such tensor or dimension.
  int64_t size(const std::string& key, std::size_t dimension) const {
    const auto found = entries_.find(stored(key));
    if (found == entries_.end() || found->second.shape.size() <= dimension) return 0;
    return found->second.shape[dimension];
  }
  std::size_t dimensions(const std::string& key) const {
    const auto found = entries_.find(stored(key));
    return found == entries_.end() ? 0 : found->second.shape.size();
  }
  /// How many of BEFORE0AFTER, BEFORE1AFTER … are there.
  int64_t count(const std::string& before, const std::string& after) const {
    int64_t n = 0;
    while (has(fmt::format("{}{}{}", before, n, after))) ++n;
    return n;
  }

 private:
  std::string stored(const std::string& key) const {
    return prefix_ + (keys_ == Keys::plain ? key : averaged_key(key));
  }

  const TensorEntries& entries_;
  std::string prefix_;
  Keys keys_;
};

Shapes unet_shapes(const TensorEntries& entries) {
  if (has_only_averages(entries)) return {entries, kAveragesPrefix, Shapes::Keys::averaged};
  return {entries, original_prefix(ModelPart::unet, Architecture::sd1)};  // the same in all three
}

constexpr std::string_view kSupported = "supported: Stable Diffusion 1.x, 2.x and SDXL";
constexpr std::string_view kGiveConfig = "give its configuration, a diffusers folder of such a model";

tl::unexpected<Error> refuse(std::string_view what) {
  return fail(fmt::format("is {}, which is not supported; {}", what, kSupported));
}

struct Foreign {
  std::string_view start;  ///< of a key that only such files have
  std::string_view what;
};

constexpr std::array kForeign = {
    Foreign{"model.diffusion_model.double_blocks.", "a Flux model"},
    Foreign{"double_blocks.", "a Flux model"},
    Foreign{"model.diffusion_model.joint_blocks.", "Stable Diffusion 3"},
    Foreign{"joint_blocks.", "Stable Diffusion 3"},
    Foreign{"text_encoders.", "a model with other text encoders (Stable Diffusion 3, Flux and others)"},
    Foreign{"edm_mean", "Playground v2.5"},
    Foreign{"control_model.", "a ControlNet"},
    Foreign{"lora_unet_", "a LoRA"},
    Foreign{"lora_te", "a LoRA"},
    Foreign{"emb_params", "a textual-inversion embedding"},
    Foreign{"model.diffusion_model.label_emb.weight", "the x4 upscaler"},
    Foreign{"down_blocks.", "the UNet of a diffusers folder"},
    Foreign{"encoder.", "a part of a model"},
    Foreign{"text_model.", "the text encoder of a diffusers folder"},
};

std::string_view variant_of_channels(int64_t channels) {
  switch (channels) {
    case 5:
      return "a depth-to-image model";
    case 7:
      return "an upscaler";
    case 8:
      return "an instruct-pix2pix model";
    case 9:
      return "an inpainting model";
    default:
      return "another variant";
  }
}

/// How many transformer layers stand behind the resnet of a block.
int64_t transformer_layers(const Shapes& unet, const std::string& block) {
  return unet.count(block + ".transformer_blocks.", ".norm1.weight");
}

Result<void> add_block(UNetConfig& config, const Shapes& unet, int64_t at, bool first_of_level) {
  const std::string block = fmt::format("input_blocks.{}", at);
  const int64_t channels = unet.size(block + ".0.in_layers.2.weight", 0);
  const int64_t layers = transformer_layers(unet, block + ".1");
  if (first_of_level) {
    config.levels.push_back({channels, layers > 0, 0, std::max<int64_t>(layers, 1)});
    return {};
  }
  const UNetLevel& level = config.levels.back();
  if (level.channels == channels && level.cross_attention == (layers > 0) &&
      (layers == 0 || level.transformer_layers == layers)) {
    return {};
  }
  return fail(
      fmt::format("has a UNet whose block model.diffusion_model.{} differs from the one before it, which is not "
                  "supported",
                  block));
}

/// Levels are what lies between the downsampling layers.
Result<void> find_levels(UNetConfig& config, const Shapes& unet) {
  config.levels.clear();
  int64_t in_level = 0;
  for (int64_t at = 1;; ++at) {
    const bool end = unet.has(fmt::format("input_blocks.{}.0.op.weight", at));
    if (!end && !unet.has(fmt::format("input_blocks.{}.0.in_layers.2.weight", at))) break;
    if (end) {
      if (config.levels.size() == 1) config.layers_per_block = in_level;
      if (in_level != config.layers_per_block) return fail("has a UNet of uneven depth, which is not supported");
      in_level = 0;
      continue;
    }
    if (auto ok = add_block(config, unet, at, in_level == 0); !ok) return ok;
    ++in_level;
  }
  if (config.levels.empty() || in_level != config.layers_per_block) {
    return fail("has a UNet of uneven depth, which is not supported");
  }
  return {};
}

Result<void> set_heads(UNetConfig& config, Architecture architecture) {
  for (UNetLevel& level : config.levels) {
    const int64_t unit = architecture == Architecture::sd1 ? kHeadsOfSd1 : kHeadSize;
    if (level.channels % unit != 0) {
      return fail(fmt::format(
          "has a UNet block of {} channels, which {} {} not divide: how many heads it has is not known; "
          "{}",
          level.channels, architecture == Architecture::sd1 ? "8 heads" : "heads of 64 channels", "do", kGiveConfig));
    }
    level.heads = architecture == Architecture::sd1 ? kHeadsOfSd1 : level.channels / kHeadSize;
  }
  return {};
}

Result<UNetConfig> detect_unet(const TensorEntries& entries, Architecture architecture, int64_t pooled) {
  const Shapes unet = unet_shapes(entries);
  UNetConfig config;
  config.in_channels = unet.size("input_blocks.0.0.weight", 1);
  config.out_channels = unet.size("out.2.weight", 0);
  config.cross_attention_dim = unet.size("middle_block.1.transformer_blocks.0.attn2.to_k.weight", 1);
  config.linear_projection = unet.dimensions("middle_block.1.proj_in.weight") == 2;
  if (auto ok = find_levels(config, unet); !ok) return tl::unexpected(ok.error());
  if (auto ok = set_heads(config, architecture); !ok) return tl::unexpected(ok.error());
  const int64_t middle = transformer_layers(unet, "middle_block.1");
  UNetLevel& last = config.levels.back();
  if (last.cross_attention && last.transformer_layers != middle) {
    return fail(
        fmt::format("has a UNet with {} transformer layers in the middle and {} before it, which is not supported",
                    middle, last.transformer_layers));
  }
  last.transformer_layers = middle;
  config.upcast_attention = architecture == Architecture::sd2;  // SD 2.1's overflows in half precision
  config.sample_size = architecture == Architecture::sdxl ? 128 : 64;
  if (architecture == Architecture::sdxl) {
    const int64_t told = unet.size("label_emb.0.0.weight", 1);
    if (told <= pooled || (told - pooled) % TextTimeConfig::kSizes != 0) {
      return fail(
          fmt::format("has a UNet that is told {} numbers of sizes and text, which a text vector of {} and 6 sizes "
                      "cannot be",
                      told, pooled));
    }
    config.text_time = TextTimeConfig{.size_waves = (told - pooled) / TextTimeConfig::kSizes, .input = told};
  }
  return config;
}

Result<VaeConfig> detect_vae(const TensorEntries& entries, Architecture architecture) {
  const Shapes vae(entries, original_prefix(ModelPart::vae, architecture));
  VaeConfig config;
  config.in_channels = vae.size("encoder.conv_in.weight", 1);
  config.out_channels = vae.size("decoder.conv_out.weight", 0);
  config.latent_channels = vae.size("decoder.conv_in.weight", 1);
  config.layers_per_block = vae.count("encoder.down.0.block.", ".conv1.weight");
  config.block_out_channels.clear();
  for (int64_t i = 0; vae.has(fmt::format("encoder.down.{}.block.0.conv1.weight", i)); ++i) {
    config.block_out_channels.push_back(vae.size(fmt::format("encoder.down.{}.block.0.conv1.weight", i), 0));
  }
  if (config.block_out_channels.empty() || config.latent_channels == 0) {
    return fail(fmt::format("has a VAE of an unknown make; {}", kGiveConfig));
  }
  config.quant_conv = vae.has("quant_conv.weight");
  config.post_quant_conv = vae.has("post_quant_conv.weight");
  config.mid_block_attention = vae.any("encoder.mid.attn_1.");
  if (architecture == Architecture::sdxl) config.scaling_factor = kSdxlScalingFactor;
  return config;
}

Result<TextConfig> finished(TextConfig config) {
  config.eos_id = kLegacyEos;
  if (config.layers < 1 || config.hidden_size < 1) {
    return fail(fmt::format("has a text encoder of an unknown make; {}", kGiveConfig));
  }
  if (config.hidden_size % kHeadSize != 0) {
    return fail(
        fmt::format("has a text encoder of width {}, which heads of 64 do not divide: how many heads it has is not "
                    "known; {}",
                    config.hidden_size, kGiveConfig));
  }
  config.heads = config.hidden_size / kHeadSize;
  return config;
}

Result<TextConfig> detect_clip(const TensorEntries& entries, Architecture architecture) {
  const std::string prefix = original_prefix(ModelPart::text_encoder, architecture);
  const Shapes whole(entries, prefix);
  const Shapes clip(entries, whole.any("text_model.") ? prefix + "text_model." : prefix);
  TextConfig config;
  config.vocab_size = clip.size("embeddings.token_embedding.weight", 0);
  config.hidden_size = clip.size("embeddings.token_embedding.weight", 1);
  config.max_positions = clip.size("embeddings.position_embedding.weight", 0);
  config.layers = clip.count("encoder.layers.", ".layer_norm1.weight");
  config.intermediate_size = clip.size("encoder.layers.0.mlp.fc1.weight", 0);
  config.activation = Activation::quick_gelu;
  config.projection_dim = config.hidden_size;
  return finished(config);
}

Result<TextConfig> detect_open_clip(const TensorEntries& entries, ModelPart part, Architecture architecture) {
  const Shapes clip(entries, original_prefix(part, architecture));
  TextConfig config;
  config.vocab_size = clip.size("token_embedding.weight", 0);
  config.hidden_size = clip.size("token_embedding.weight", 1);
  config.max_positions = clip.size("positional_embedding", 0);
  config.layers = clip.count("transformer.resblocks.", ".ln_1.weight") - (architecture == Architecture::sd2 ? 1 : 0);
  config.intermediate_size = clip.size("transformer.resblocks.0.mlp.c_fc.weight", 0);
  config.activation = Activation::gelu;
  config.with_projection = architecture == Architecture::sdxl;
  config.projection_dim = clip.size("text_projection", 1);
  if (config.projection_dim == 0) config.projection_dim = config.hidden_size;
  return finished(config);
}

}  // namespace

bool has_only_averages(const TensorEntries& entries) {
  const Shapes all(entries, "");
  return all.any(std::string(kAveragesPrefix)) && !all.any(original_prefix(ModelPart::unet, Architecture::sd1));
}

Result<Architecture> detect_architecture(const TensorEntries& entries) {
  const Shapes all(entries, "");
  const bool second = all.any("conditioner.embedders.1.model.");
  if (all.any("conditioner.embedders.0.model.") && !second) return refuse("the SDXL refiner");
  for (const auto& [start, what] : kForeign) {
    if (all.any(std::string(start))) return refuse(what);
  }
  const Shapes unet = unet_shapes(entries);
  const int64_t channels = unet.size("input_blocks.0.0.weight", 1);
  if (channels == 0) {
    return fail(
        "holds no base model in the original layout: there is no model.diffusion_model.input_blocks.0.0.weight");
  }
  if (channels != 4) {
    return fail(fmt::format("is {}: its UNet takes {} channels, which is not supported", variant_of_channels(channels),
                            channels));
  }
  if (!all.any("first_stage_model.")) return fail("holds no VAE: there are no weights under first_stage_model.");
  const bool labelled = unet.any("label_emb.");
  if (second && all.any("conditioner.embedders.0.transformer.")) {
    return labelled ? Result<Architecture>(Architecture::sdxl) : refuse("a variant of SDXL without size conditioning");
  }
  if (all.any("cond_stage_model.model.")) {
    return labelled ? Result<Architecture>(refuse("an unCLIP model")) : Architecture::sd2;
  }
  if (all.any("cond_stage_model.transformer.")) return Architecture::sd1;
  return fail("holds no text encoders: there are no weights under cond_stage_model. or conditioner.embedders.");
}

Result<DetectedModel> detect_model(const TensorEntries& entries) {
  const auto architecture = detect_architecture(entries);
  if (!architecture) return tl::unexpected(architecture.error());
  DetectedModel model;
  model.architecture = *architecture;
  const auto add_text = [&](Result<TextConfig> text) -> Result<void> {
    if (!text) return tl::unexpected(text.error());
    model.text.push_back(*text);
    return {};
  };
  auto ok =
      add_text(*architecture == Architecture::sd2 ? detect_open_clip(entries, ModelPart::text_encoder, *architecture)
                                                  : detect_clip(entries, *architecture));
  if (ok && *architecture == Architecture::sdxl) {
    ok = add_text(detect_open_clip(entries, ModelPart::text_encoder_2, *architecture));
  }
  if (!ok) return tl::unexpected(ok.error());
  auto unet = detect_unet(entries, *architecture, model.text.back().projection_dim);
  if (!unet) return tl::unexpected(unet.error());
  auto vae = detect_vae(entries, *architecture);
  if (!vae) return tl::unexpected(vae.error());
  model.unet = std::move(*unet);
  model.vae = std::move(*vae);
  return model;
}

bool known_extra(const std::string& key, Architecture architecture, int64_t text_layers) {
  static constexpr std::array<std::string_view, 16> kNames = {"betas",
                                                              "logvar",
                                                              "lvlb_weights",
                                                              "global_step",
                                                              "epoch",
                                                              "v_pred",
                                                              "ztsnr",
                                                              "state_dict",
                                                              "scale_factor",
                                                              "denoiser.sigmas",
                                                              "alphas_cumprod",
                                                              "alphas_cumprod_prev",
                                                              "log_one_minus_alphas_cumprod",
                                                              "logit_scale",
                                                              "text_projection.weight",
                                                              "cond_stage_model.logit_scale"};
  static constexpr std::array<std::string_view, 6> kStarts = {
      "model_ema.", "posterior_", "sqrt_", "first_stage_model.loss.", "first_stage_model.model_ema.", "callbacks."};
  static constexpr std::array<std::string_view, 4> kEnds = {".position_ids", ".logit_scale", ".attn_mask",
                                                            ".num_batches_tracked"};
  const std::string_view text = key;
  if (std::ranges::find(kNames, text) != kNames.end()) return true;
  if (std::ranges::any_of(kStarts, [&](auto start) { return text.starts_with(start); })) return true;
  if (std::ranges::any_of(kEnds, [&](auto end) { return text.ends_with(end); })) return true;
  const bool projection = text.ends_with(".text_projection") || text.ends_with(".text_projection.weight");
  if (projection) return true;
  return architecture == Architecture::sd2 &&
         text.starts_with(fmt::format("cond_stage_model.model.transformer.resblocks.{}.", text_layers));
}

}  // namespace atelier::diffusion
