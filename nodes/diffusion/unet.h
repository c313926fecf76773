// The denoiser: diffusers' UNet2DConditionModel, built from its config.json and weights.
//
// A UNet is immutable and may be used from many threads; adapters are arguments. It computes in the precision of its
// weights; what goes in is cast to it, what comes out is float32.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/config.h"
#include "diffusion/error.h"
#include "diffusion/lora.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {

struct UNetInput {
  at::Tensor sample;       ///< [N, in_channels, h, w], any h and w, as in diffusers
  at::Tensor timesteps;    ///< [N] int64 or float32
  at::Tensor context;      ///< [N, tokens, cross_attention_dim]
  at::Tensor pooled{};     ///< [N, P] SDXL's vector of the whole text; undefined elsewhere
  at::Tensor time_ids{};   ///< [N, 6] SDXL's sizes, px: original h, w; crop top, left; target h, w; undefined elsewhere
  bool recompute = false;  ///< gradient checkpointing: blocks keep only their inputs for the backward pass
};

class UNet {
  struct Impl;

 public:
  /// The model of a configuration and its weights. Weights that want gradients get them from forward(); they have to be
  /// on the options' device and of their dtype already. Errors: weights that are missing, or of another shape, by name;
  /// a precision that check_precision() refuses.
  static Result<std::shared_ptr<const UNet>> create(const UNetConfig& config, WeightReader& weights);
  ~UNet();
  UNet(const UNet&) = delete;
  UNet& operator=(const UNet&) = delete;

  /// The prediction, [N, out_channels, h, w] float32. Gradients flow to the adapters, to what goes in, and to weights
  /// that want them; those of a base as it is loaded want none.
  /// Shapes are the caller's duty; check() tells about them in a sentence.
  at::Tensor forward(const UNetInput& input, const Adapters& adapters = {}) const;

  /// Whether forward() can take these shapes; the Error says which shape was given and which is wanted.
  Result<void> check(const UNetInput& input) const;

  const UNetConfig& config() const noexcept;
  at::Device device() const noexcept;
  at::ScalarType dtype() const noexcept;

  /// Attention, projections and feed-forward: what `train` adapts, in the order of their names.
  std::vector<LoraTarget> lora_targets() const;
  /// All layers that a LoRA can adapt, 3x3 convolutions too.
  const std::vector<LoraTarget>& adaptable_layers() const noexcept;
  /// Whether every UNet layer of `lora` is in this model with this shape; the Error names the first that is not.
  Result<void> check(const Lora& lora) const;

 private:
  explicit UNet(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace atelier::diffusion
