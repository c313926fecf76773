// An exponential moving average of the weights, as diffusers' EMAModel keeps it: what a training gives in the end is
// smoother than its last step. The decay grows with the steps, min(decay, (1 + n) / (10 + n)) with n the averages made
// so far, so that the start is forgotten.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

namespace atelier::diffusion {

class Ema {
 public:
  /// Averages that begin at the parameters' values. @param decay  in (0, 1)
  Ema(std::span<const at::Tensor> parameters, double decay);

  /// Takes the values in as those of one more step. @param steps  averages made so far
  void update(std::span<const at::Tensor> parameters, int64_t steps);

  /// One per parameter; writing to them restores a state.
  const std::vector<at::Tensor>& averages() const noexcept { return averages_; }

  /// Exchanges the averages and the parameters' values, in place: twice is not at all.
  void exchange(std::span<const at::Tensor> parameters);

 private:
  std::vector<at::Tensor> averages_;
  double decay_;
};

/// The decay of the average after `steps` averages.
double ema_decay(double decay, int64_t steps);

}  // namespace atelier::diffusion
