#include "diffusion/adamw.h"

#include <ATen/core/grad_mode.h>

#include <c10/core/GradMode.h>

#include <cmath>

namespace atelier::diffusion {

AdamW::AdamW(std::vector<at::Tensor> parameters, AdamWOptions options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const at::Tensor& parameter : parameters_) {
    first_.push_back(at::zeros_like(parameter));
    second_.push_back(at::zeros_like(parameter));
  }
}

void AdamW::step(std::span<const at::Tensor> gradients, double rate) {
  const at::NoGradGuard no_grad;
  ++steps_;
  const double correction1 = 1.0 - std::pow(options_.beta1, static_cast<double>(steps_));
  const double correction2 = 1.0 - std::pow(options_.beta2, static_cast<double>(steps_));
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& gradient = gradients[i];
    parameters_[i].mul_(1.0 - rate * options_.weight_decay);
    first_[i].lerp_(gradient, 1.0 - options_.beta1);
    second_[i].mul_(options_.beta2).addcmul_(gradient, gradient, 1.0 - options_.beta2);
    const at::Tensor denominator = second_[i].sqrt().div_(std::sqrt(correction2)).add_(options_.epsilon);
    parameters_[i].addcdiv_(first_[i], denominator, -rate / correction1);
  }
}

}  // namespace atelier::diffusion
