#include "diffusion/adamw.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

namespace atelier::diffusion {
namespace {

/// On a GPU one call updates many tensors, which saves most of its launches; this bounds the memory that the
/// denominators of one call take. On a CPU a tensor is best done while it is in the cache.
constexpr int64_t kElementsPerCall = int64_t{32} << 20;

}  // namespace

AdamW::AdamW(std::vector<at::Tensor> parameters, AdamWOptions options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const at::Tensor& parameter : parameters_) {
    first_.push_back(at::zeros_like(parameter));
    second_.push_back(at::zeros_like(parameter));
  }
}

size_t AdamW::end_of_group(std::span<const at::Tensor> gradients, std::span<const double> rates, size_t begin) const {
  size_t end = begin + 1;
  if (!parameters_[begin].is_cuda()) return end;
  int64_t elements = parameters_[begin].numel();
  for (; end < parameters_.size() && gradients[end].defined() && rates[end] == rates[begin]; ++end) {
    elements += parameters_[end].numel();
    if (elements > kElementsPerCall) break;
  }
  return end;
}

void AdamW::step_group(std::span<const at::Tensor> gradients, double rate, size_t begin, size_t end) {
  const at::TensorList parameters(parameters_.data() + begin, end - begin);
  const at::TensorList first(first_.data() + begin, end - begin), second(second_.data() + begin, end - begin);
  std::vector<at::Tensor> now;
  for (size_t i = begin; i < end; ++i) now.push_back(gradients[i].to(parameters_[i].scalar_type()));

  const double correction1 = 1.0 - std::pow(options_.beta1, static_cast<double>(steps_));
  const double correction2 = 1.0 - std::pow(options_.beta2, static_cast<double>(steps_));
  at::_foreach_mul_(parameters, at::Scalar(1.0 - rate * options_.weight_decay));
  at::_foreach_mul_(first, at::Scalar(options_.beta1));
  at::_foreach_add_(first, now, at::Scalar(1.0 - options_.beta1));
  at::_foreach_mul_(second, at::Scalar(options_.beta2));
  at::_foreach_addcmul_(second, now, now, at::Scalar(1.0 - options_.beta2));
  const std::vector<at::Tensor> denominators = at::_foreach_sqrt(second);
  at::_foreach_div_(denominators, at::Scalar(std::sqrt(correction2)));
  at::_foreach_add_(denominators, at::Scalar(options_.epsilon));
  at::_foreach_addcdiv_(parameters, first, denominators, at::Scalar(-rate / correction1));
}

void AdamW::step(std::span<const at::Tensor> gradients, std::span<const double> rates) {
  const at::NoGradGuard no_grad;
  ++steps_;
  for (size_t i = 0; i < parameters_.size();) {
    if (!gradients[i].defined()) {
      ++i;
      continue;
    }
    const size_t end = end_of_group(gradients, rates, i);
    step_group(gradients, rates[i], i, end);
    i = end;
  }
}

std::vector<Optimizer::Memory> AdamW::memory(size_t i) const {
  return {{"moment1", first_[i]}, {"moment2", second_[i]}};
}

}  // namespace atelier::diffusion
