// A Brownian path that a seed decides at every point, whichever points are asked for and in which order: so a seed
// means much the same picture at 20 steps and at 30. A virtual Brownian tree (Li et al. 2020, arXiv 2001.01328,
// algorithm 3).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace atelier::diffusion {

class BrownianPath {
 public:
  /// A path over [0, end] of tensors of `shape`. The path is the same for all ends between two powers of 2.
  BrownianPath(uint64_t seed, std::vector<int64_t> shape, double end);

  /// The path at `time` in [0, end], float32 on the CPU; its variance there is `time`.
  at::Tensor at(double time) const;

  /// What the path does between two times, brought to unit variance.
  at::Tensor unit_increment(double from, double to) const;

 private:
  at::Tensor noise_of(uint64_t node) const;

  uint64_t seed_;
  std::vector<int64_t> shape_;
  double end_;  // a power of 2
};

}  // namespace atelier::diffusion
