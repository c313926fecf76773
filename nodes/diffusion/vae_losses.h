// What an autoencoder is trained by: how far a reconstruction is from its picture, and the posterior from a unit
// normal.
#pragma once

#include <ATen/core/Tensor.h>

#include "diffusion/vae.h"

namespace atelier::diffusion {

enum class ReconstructionLoss { l1, l2 };

struct VaeLossOptions {
  ReconstructionLoss reconstruction = ReconstructionLoss::l1;
  double gradient_weight = 0.5;  ///< of the difference of edges; 0: none
  int64_t gradient_scales = 3;   ///< at 1, 1/2, 1/4 … of the size
  double kl_weight = 1e-6;
};

/// One number each, recorded where what they are of is.
struct VaeLosses {
  at::Tensor reconstruction;  ///< mean |x' - x| or (x' - x)^2
  at::Tensor gradient;        ///< see gradient_difference()
  at::Tensor kl;              ///< see posterior_kl(), over the numbers of the picture
  at::Tensor total;           ///< reconstruction + gradient_weight * gradient + kl_weight * kl
};

/// @param pictures, reconstructions  [N, C, H, W] in [-1, 1]
VaeLosses vae_losses(const at::Tensor& pictures, const at::Tensor& reconstructions, const Posterior& posterior,
                     const VaeLossOptions& options);

/// The mean absolute difference of horizontal and of vertical neighbours' differences (Mathieu et al. 2016, "Deep
/// multi-scale video prediction beyond mean square error", with alpha = 1), averaged over `scales` halvings of the
/// size, of which those that leave less than 2 px are passed over: what a pixel's own error does not tell from blur.
at::Tensor gradient_difference(const at::Tensor& pictures, const at::Tensor& reconstructions, int64_t scales);

/// The Kullback-Leibler divergence of the posterior from a unit normal, 1/2 sum(mean^2 + var - 1 - log var), summed
/// over latents and averaged over `numbers` and the batch. With the numbers of a picture, kl_weight is that of latent
/// diffusion's own trainings (Rombach et al. 2022: 1e-6), whose reconstruction is a sum.
at::Tensor posterior_kl(const Posterior& posterior, int64_t numbers);

}  // namespace atelier::diffusion
