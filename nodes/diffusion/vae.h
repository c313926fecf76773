// The autoencoder between pictures and latents: diffusers' AutoencoderKL. Rombach et al. 2022.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
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

/// How a pass bounds its memory. The default takes all at once.
struct VaePass {
  bool slicing = false;              ///< one picture of the batch at a time; the values stay the same
  std::optional<int64_t> tile_px{};  ///< larger pictures in overlapping tiles of this side, blended: values differ
};

/// Immutable; may be used from many threads. Computes in float32 where the configuration says that half precision
/// overflows (force_upcast), else in the precision of the options. Passes are recorded for gradients where the weights
/// learn (leaves that ask for gradients) and the caller's grad mode is on, and only then.
class Vae {
 public:
  /// The model of a config.json and its weights, whose attention may be named to_q … or, as in older files, query …
  /// proj_attn. Errors: missing or misshapen weights.
  static Result<std::shared_ptr<const Vae>> create(const VaeConfig& config, WeightReader& weights);
  ~Vae();
  Vae(const Vae&) = delete;
  Vae& operator=(const Vae&) = delete;

  /// @param images  [N, in_channels, H, W] in [-1, 1], H and W multiples of 8 (config().downscale()).
  /// The result is float32 on the model's device. The UNet sees samples or means times config().scaling_factor. Errors:
  /// another shape; a tile that is no multiple of 4 * config().downscale() px.
  Result<Posterior> encode(const at::Tensor& images, const VaePass& pass = {}) const;

  /// @param latents  [N, latent_channels, h, w], not scaled: what the UNet made, divided by config().scaling_factor.
  /// Gives [N, out_channels, 8 h, 8 w] float32, about [-1, 1]. Errors: another shape; a tile as in encode().
  Result<at::Tensor> decode(const at::Tensor& latents, const VaePass& pass = {}) const;

  const VaeConfig& config() const noexcept;

 private:
  struct Impl;
  explicit Vae(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace atelier::diffusion
