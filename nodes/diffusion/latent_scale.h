// An autoencoder whose latents are what the rest relies on: of mean 0 and, times the scaling factor, of deviation 1.
#pragma once

#include <ATen/core/Tensor.h>

#include "diffusion/config.h"
#include "diffusion/error.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

/// Latents' mean and standard deviation of each channel, [latent_channels] float64.
struct LatentStatistics {
  at::Tensor mean, std;
};

/// Of posteriors' means. @param means  [N, latent_channels, h, w]
LatentStatistics latent_statistics(const at::Tensor& means);

/// Moves and scales each channel of the latents so that it has mean 0 and deviation 1 / scaling_factor where it had
/// those of `statistics`; the decoder gets the inverse, so that what is reconstructed stays the same to rounding. Only
/// `quant_conv` and `post_quant_conv` change, in place. Errors: a model without either; a channel that does not vary.
Result<void> standardise_latents(WeightMap& vae, const VaeConfig& config, const LatentStatistics& statistics);

}  // namespace atelier::diffusion
