#include "diffusion/masked_loss.h"

namespace atelier::diffusion {

at::Tensor masked_loss(const at::Tensor& prediction, const at::Tensor& target, const at::Tensor& mask,
                       LossNormalize normalize) {
  const at::Tensor summed = (mask * (prediction - target).square()).sum({1, 2, 3});  // [N]
  const auto channels = static_cast<double>(prediction.size(1));
  const auto pixels = static_cast<double>(prediction.size(2) * prediction.size(3));
  if (normalize == LossNormalize::none) return summed / (channels * pixels);
  return summed / (mask.sum({1, 2, 3}).clamp_min(kLeastMaskShare * pixels) * channels);
}

at::Tensor with_unmasked_weight(const at::Tensor& mask, double outside) {
  return outside == 0 ? mask : mask * (1 - outside) + outside;
}

at::Tensor mask_on_grid(const at::Tensor& mask, int64_t height, int64_t width) {
  // Adaptive averaging is what torch's interpolate calls mode "area".
  return at::adaptive_avg_pool2d(mask.to(at::kFloat), {height, width});
}

}  // namespace atelier::diffusion
