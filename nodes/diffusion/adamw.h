// AdamW (Loshchilov & Hutter 2019), number for number as torch.optim.AdamW: decoupled weight decay, epsilon outside
// the square root.
#pragma once

#include <ATen/ATen.h>

#include <span>
#include <vector>

namespace atelier::diffusion {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
};

/// The optimizer of a list of parameters. Its state is the moments and the number of steps; given the same state,
/// gradients and rates it does the same to the bit.
class AdamW {
 public:
  /// @param parameters  changed in place by step(); shared, not copied
  AdamW(std::vector<at::Tensor> parameters, AdamWOptions options);

  /// One step with the learning rate `rate`. @param gradients  one per parameter, of its shape
  void step(std::span<const at::Tensor> gradients, double rate);

  /// Steps done so far; the bias correction counts them.
  int64_t steps() const noexcept { return steps_; }
  void set_steps(int64_t steps) noexcept { steps_ = steps; }
  /// Running means of the gradient and of its square, one per parameter; writing to them restores a state.
  const std::vector<at::Tensor>& first_moments() const noexcept { return first_; }
  const std::vector<at::Tensor>& second_moments() const noexcept { return second_; }

 private:
  std::vector<at::Tensor> parameters_, first_, second_;
  AdamWOptions options_;
  int64_t steps_ = 0;
};

}  // namespace atelier::diffusion
