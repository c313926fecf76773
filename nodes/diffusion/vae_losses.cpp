#include "diffusion/vae_losses.h"

#include <ATen/ATen.h>

namespace atelier::diffusion {

VaeLosses vae_losses(const at::Tensor& pictures, const at::Tensor& reconstructions, const Posterior& posterior,
                     const VaeLossOptions& options) {
  const at::Tensor error = reconstructions - pictures;
  VaeLosses losses;
  losses.reconstruction = options.reconstruction == ReconstructionLoss::l1 ? error.abs().mean() : error.square().mean();
  losses.gradient = options.gradient_weight > 0
                        ? gradient_difference(pictures, reconstructions, options.gradient_scales)
                        : at::zeros({}, error.options());
  losses.kl = posterior_kl(posterior, pictures[0].numel());
  losses.total = losses.reconstruction + options.gradient_weight * losses.gradient + options.kl_weight * losses.kl;
  return losses;
}

at::Tensor gradient_difference(const at::Tensor& pictures, const at::Tensor& reconstructions, int64_t scales) {
  at::Tensor error = reconstructions - pictures;  // [N, C, H, W]; differences of neighbours are linear
  at::Tensor sum = at::zeros({}, error.options());
  int64_t counted = 0;
  for (int64_t scale = 0; scale < scales && error.size(2) >= 2 && error.size(3) >= 2; ++scale) {
    const int64_t height = error.size(2), width = error.size(3);
    const at::Tensor down = error.slice(2, 1) - error.slice(2, 0, height - 1);
    const at::Tensor right = error.slice(3, 1) - error.slice(3, 0, width - 1);
    sum = sum + (down.abs().mean() + right.abs().mean()) / 2;
    ++counted;
    error = at::avg_pool2d(error, {2, 2});
  }
  return counted > 0 ? sum / counted : sum;
}

at::Tensor posterior_kl(const Posterior& posterior, int64_t numbers) {
  const at::Tensor divergence = posterior.mean.square() + posterior.logvar.exp() - 1 - posterior.logvar;
  return divergence.sum() / (2.0 * static_cast<double>(numbers * posterior.mean.size(0)));
}

}  // namespace atelier::diffusion
