// The configurations of a diffusers folder as typed values. What a file asks for and this library does not do is
// refused by the name of the key, never ignored.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/error.h"
#include "diffusion/scheduler_config.h"

namespace atelier::diffusion {

/// The families of base models. What differs between them is configuration; the family decides what no configuration
/// says: which text states are used, and how other tools call the model and its layers.
enum class Architecture { sd1, sd2, sdxl };

enum class Activation { gelu, quick_gelu };

/// One resolution of the UNet, from the first of the down blocks on; the up blocks mirror it.
struct UNetLevel {
  int64_t channels = 0;
  bool cross_attention = false;  ///< CrossAttnDownBlock2D and CrossAttnUpBlock2D, or the plain ones
  int64_t heads = 0;             ///< of its attention; the file calls it attention_head_dim
  int64_t transformer_layers = 1;
};

/// SDXL's conditioning on the whole text and on the sizes of the picture: their vector of `input` numbers goes through
/// an embedding of its own and is added to that of the time. diffusers' addition_embed_type "text_time".
struct TextTimeConfig {
  int64_t size_waves = 256;  ///< sinusoids for each of the six sizes; the file calls it addition_time_embed_dim
  int64_t input = 2816;      ///< projection_class_embeddings_input_dim: pooled text, then the sizes' sinusoids

  static constexpr int64_t kSizes = 6;  ///< original h, w; crop top, left; target h, w
  /// Numbers of the pooled text.
  int64_t pooled() const { return input - kSizes * size_waves; }
};

/// UNet2DConditionModel of SD 1.x, 2.x and SDXL. Defaults are SD 1.5's. The middle block has the last level's channels,
/// heads and layers.
struct UNetConfig {
  int64_t in_channels = 4;
  int64_t out_channels = 4;
  std::vector<UNetLevel> levels{{320, true, 8, 1}, {640, true, 8, 1}, {1280, true, 8, 1}, {1280, false, 8, 1}};
  int64_t layers_per_block = 2;
  int64_t cross_attention_dim = 768;
  bool linear_projection = false;
  bool upcast_attention = false;  ///< attention in float32 where the weights are float16, as SD 2.1 asks for
  std::optional<TextTimeConfig> text_time{};  ///< SDXL alone has it
  int64_t norm_groups = 32;
  double norm_eps = 1e-5;
  int64_t sample_size = 64;  ///< the latent size it was trained at
};

/// AutoencoderKL. Defaults are SD 1.5's.
struct VaeConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t latent_channels = 4;
  std::vector<int64_t> block_out_channels{128, 256, 512, 512};
  int64_t layers_per_block = 2;
  int64_t norm_groups = 32;
  bool quant_conv = true;
  bool post_quant_conv = true;
  bool mid_block_attention = true;
  double scaling_factor = 0.18215;
  bool force_upcast = true;  ///< half precision overflows: computes in float32 whatever the model's dtype

  /// How many pixels a latent covers in each direction: 2^(blocks - 1).
  int64_t downscale() const { return int64_t{1} << (block_out_channels.size() - 1); }
};

/// CLIPTextModel, and with a projection CLIPTextModelWithProjection. Defaults are SD 1.5's.
struct TextConfig {
  int64_t vocab_size = 49408;
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t max_positions = 77;
  Activation activation = Activation::quick_gelu;
  double norm_eps = 1e-5;
  int64_t eos_id = 49407;  ///< 2, as most published files say, means the largest id of a text
  bool with_projection = false;
  int64_t projection_dim = 768;  ///< of the vector for the whole text, where there is a projection
};

/// Each reads a parsed config.json; `file` names it in messages. Errors: a wrong type, a missing key without default, a
/// value out of range, an architecture or option that is not supported, all by the key's name.
Result<UNetConfig> parse_unet_config(const nlohmann::json& json, const std::string& file);
Result<VaeConfig> parse_vae_config(const nlohmann::json& json, const std::string& file);
Result<TextConfig> parse_text_config(const nlohmann::json& json, const std::string& file);

}  // namespace atelier::diffusion
