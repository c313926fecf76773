// Watches the losses of a training, so that one that runs away is stopped and not finished.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace atelier::diffusion {

/// Losses of single steps differ tenfold by their timesteps alone, so one high loss means nothing. A training is called
/// exploding when 20 steps in a row had a loss over 10 times the median of the last 100 losses; the first 50 steps
/// are never judged.
class LossWatch {
 public:
  static constexpr int64_t kWindow = 100, kUnjudged = 50, kInARow = 20;
  static constexpr double kTimesTheMedian = 10;

  /// Takes in the loss of one more step. Gives whether the training is exploding.
  bool explodes(double loss);

  /// The median of the last losses; 0 before the first.
  double median() const;

  /// All it knows, [2 + kWindow] float64 on the CPU, and back.
  at::Tensor state() const;
  void restore(const at::Tensor& state);

 private:
  std::vector<double> losses_;  // the last kWindow; the oldest is at seen_ % kWindow once it is full
  int64_t seen_ = 0;
  int64_t high_in_a_row_ = 0;
};

}  // namespace atelier::diffusion
