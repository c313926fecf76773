// What a training does to its gradients before the optimizer sees them. Gradients have a leading axis of K tenants,
// [K, …], and each tenant's is treated as if it were alone; undefined ones count as zero.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace atelier::diffusion {

/// Adds `now` to `sums`, in float32; takes `now` over as it is where there is no sum yet and none will follow.
class GradientSum {
 public:
  /// @param passes  how many times add() will be called; with more than one the sum is kept in float32
  explicit GradientSum(int64_t passes) : passes_(passes) {}
  void add(std::vector<at::Tensor> now);
  std::vector<at::Tensor>& sums() noexcept { return sums_; }

 private:
  int64_t passes_;
  std::vector<at::Tensor> sums_;
};

/// The norm of each tenant's whole gradient, [K] float32: the norm of the norms, as torch's clip_grad_norm_ has it.
at::Tensor gradient_norms(const std::vector<at::Tensor>& gradients, int64_t tenants, at::Device device);

/// Multiplies each tenant's gradients by its factor, in place. @param factors  one per tenant
void scale_gradients(std::vector<at::Tensor>& gradients, const std::vector<double>& factors);

/// What torch's clip_grad_norm_ multiplies a gradient of this norm by; 1 where max_norm is 0.
double clip_factor(double norm, double max_norm);

}  // namespace atelier::diffusion
