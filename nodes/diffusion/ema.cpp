#include "diffusion/ema.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace atelier::diffusion {

double ema_decay(double decay, int64_t steps) {
  if (steps <= 0) return 0;
  return std::min(decay, static_cast<double>(1 + steps) / static_cast<double>(10 + steps));
}

Ema::Ema(std::span<const at::Tensor> parameters, double decay) : decay_(decay) {
  for (const at::Tensor& parameter : parameters) averages_.push_back(parameter.detach().clone());
}

void Ema::update(std::span<const at::Tensor> parameters, int64_t steps) {
  const at::NoGradGuard no_grad;
  const double decay = ema_decay(decay_, steps);
  for (size_t i = 0; i < averages_.size(); ++i) averages_[i].lerp_(parameters[i].detach(), 1 - decay);
}

void Ema::exchange(std::span<const at::Tensor> parameters) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < averages_.size(); ++i) {
    const at::Tensor value = parameters[i].detach(), kept = value.clone();
    value.copy_(averages_[i]);
    averages_[i].copy_(kept);
  }
}

}  // namespace atelier::diffusion
