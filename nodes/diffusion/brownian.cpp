#include "diffusion/brownian.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>

namespace atelier::diffusion {
namespace {

/// Between points this close the path is a straight line; torchsde, which WebUI's paths come from, has the same.
constexpr double kTolerance = 1e-6;
/// Keeps a path's numbers apart from the start noise of the same seed.
constexpr uint64_t kPurpose = 0x62726f776e69616eU;
constexpr uint64_t kRootIncrement = 0;  // the node that decides the path's end; midpoints are 1, 2 and 3, …

/// The finalizer of SplitMix64 (Steele et al. 2014).
uint64_t mixed(uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

}  // namespace

BrownianPath::BrownianPath(uint64_t seed, std::vector<int64_t> shape, double end)
    : seed_(seed), shape_(std::move(shape)), end_(std::exp2(std::ceil(std::log2(std::max(end, kTolerance))))) {}

at::Tensor BrownianPath::noise_of(uint64_t node) const {
  // torch's generator looks at 32 bits of a seed.
  const uint64_t key = mixed(mixed(seed_ ^ kPurpose) ^ node) >> 32;
  return at::randn(shape_, at::detail::createCPUGenerator(key), at::TensorOptions().dtype(at::kFloat));
}

at::Tensor BrownianPath::at(double time) const {
  double low = 0, high = end_;
  at::Tensor at_low = at::zeros(shape_, at::kFloat), at_high = noise_of(kRootIncrement) * std::sqrt(end_);
  for (uint64_t node = 1; high - low > kTolerance;) {
    const double middle = (low + high) / 2;
    const at::Tensor at_middle = (at_low + at_high) / 2 + noise_of(node) * (std::sqrt(high - low) / 2);
    if (time < middle) {
      high = middle, at_high = at_middle, node = 2 * node;
    } else {
      low = middle, at_low = at_middle, node = 2 * node + 1;
    }
  }
  return at_low + (at_high - at_low) * ((time - low) / (high - low));
}

at::Tensor BrownianPath::unit_increment(double from, double to) const {
  return (at(to) - at(from)) / std::sqrt(std::abs(to - from));
}

}  // namespace atelier::diffusion
