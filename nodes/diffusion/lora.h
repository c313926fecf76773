// A LoRA as a value: for each adapted layer W (out x in) the factors of dW = alpha / r * B A.
// Reading and writing its files is lora_format.h, arithmetic on it lora_algebra.h, adding it to weights lora_fuse.h.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/error.h"
#include "diffusion/lora_base.h"

namespace atelier::diffusion {

/// One layer's factors. A convolution keeps its kernel in A, and B is 1x1.
struct LoraLayer {
  at::Tensor a;      ///< [r, in] or [r, in, kh, kw], float32 but where a function says otherwise
  at::Tensor b;      ///< [out, r]
  double alpha = 1;  ///< dW is alpha / r * B A

  int64_t rank() const { return a.size(0); }
  /// alpha / r; 0 for rank 0, whose dW is zero.
  double scale() const { return rank() == 0 ? 0 : alpha / static_cast<double>(rank()); }
  /// The shape of dW and of the layer's weight: [out, in] or [out, in, kh, kw].
  std::vector<int64_t> delta_shape() const;
  /// dW in float32, of delta_shape().
  at::Tensor delta() const;
};

/// Whether dW is one of a weight of that shape. A linear layer and a 1x1 convolution of the same width are one: kohya's
/// tools write proj_in and proj_out either way, whatever the base has.
bool fits(const LoraLayer& layer, at::IntArrayRef weight_shape);
/// The layer in the form of a weight that it fits, so that A is [r, in] where that is [out, in]; A is a view.
LoraLayer in_form_of(const LoraLayer& layer, at::IntArrayRef weight_shape);

/// Layers by name, sorted. A layer of the UNet has its diffusers module path
/// (`down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q`), one of a text encoder has `text_encoder.` or, for
/// SDXL's second, `text_encoder_2.` before its path (`text_encoder.text_model.encoder.layers.0.mlp.fc1`).
struct Lora {
  std::map<std::string, LoraLayer> layers;
  std::optional<LoraBase> base{};  ///< the kind of base it was made for, where that is known
};

inline constexpr std::string_view kTextEncoderPrefix = "text_encoder.";
inline constexpr std::string_view kTextEncoder2Prefix = "text_encoder_2.";

/// Which model of a base a layer belongs to.
enum class LoraPart { unet, text_encoder, text_encoder_2 };

/// The part that a name of Lora::layers is of.
LoraPart part_of(std::string_view layer);
/// The name without its part's prefix: the module path in that model.
std::string_view path_in_part(std::string_view layer);
/// Whether the LoRA changes that part at all.
bool has_part(const Lora& lora, LoraPart part);

/// A layer that a training adapts: its module path and the shape of its weight, [out, in] or [out, in, kh, kw].
struct LoraTarget {
  std::string name;
  std::vector<int64_t> weight_shape;
};

/// The LoRA with float32 factors; those that are so already are shared.
Lora in_float32(Lora lora);

/// The LoRA with each layer that one of the targets is in that target's form; all others stay as they are.
Lora in_form_of(Lora lora, std::span<const LoraTarget> targets);

/// The layers that `train` adapts, told by the end of their path: attention, projections, feed-forward.
bool is_lora_target(std::string_view module_path);

/// Fills `values` with independent uniform numbers in [0, 1) for the layer of that name. The library draws nothing
/// itself: the caller keys the stream, so that two trainings start from the same LoRA.
using UniformSource = std::function<void(std::string_view layer, std::span<float> values)>;

/// The LoRA a training starts from: A Kaiming-uniform with a = sqrt(5), that is uniform in +-1 / sqrt(fan_in) with
/// fan_in = in * kh * kw (He et al. 2015; what peft and kohya's trainer do), B zero. float32.
Lora initial_lora(std::span<const LoraTarget> targets, int64_t rank, double alpha, const UniformSource& uniform);

}  // namespace atelier::diffusion
