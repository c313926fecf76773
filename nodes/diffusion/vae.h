// The autoencoder between pictures and latents: diffusers' AutoencoderKL. Rombach et al. 2022.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "diffusion/config.h"
#include "diffusion/error.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {

/// A diagonal Gaussian over latents, not scaled by scaling_factor; [N, latent_channels, H/8, W/8] each.
struct Posterior {
  at::Tensor mean;
  at::Tensor logvar;  ///< in [-30, 20]
  /// exp(logvar / 2)
  at::Tensor std() const;
};

/// Immutable; may be used from many threads.
class Vae {
 public:
  /// The model of a config.json and its weights, whose attention may be named to_q … or, as in older files, query …
  /// proj_attn. Errors: missing or misshapen weights.
  static Result<std::shared_ptr<const Vae>> create(const VaeConfig& config, WeightReader& weights);
  ~Vae();
  Vae(const Vae&) = delete;
  Vae& operator=(const Vae&) = delete;

  /// @param images  [N, in_channels, H, W] in [-1, 1], H and W multiples of 8 (config().downscale()).
  /// The result is in the model's dtype and on its device; nothing is recorded for gradients. The UNet sees samples or
  /// means times config().scaling_factor. Errors: another shape.
  Result<Posterior> encode(const at::Tensor& images) const;

  /// @param latents  [N, latent_channels, h, w], not scaled: what the UNet made, divided by config().scaling_factor.
  /// Gives [N, out_channels, 8 h, 8 w], about [-1, 1]. Errors: another shape.
  Result<at::Tensor> decode(const at::Tensor& latents) const;

  const VaeConfig& config() const noexcept;

 private:
  struct Impl;
  explicit Vae(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace atelier::diffusion
