// The seam between a training and the rule that turns gradients into changes of the weights.
//
// Every parameter has a leading axis of K tenants, [K, …], and tenants never mix: a gang of K trainings takes the steps
// that each would take alone.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace atelier::diffusion {

/// A rule with its memory. Given the same memory, number of steps, gradients and rates it does the same to the bit.
class Optimizer {
 public:
  /// One thing remembered of a parameter, [K, …].
  struct Memory {
    std::string_view name;  ///< `moment1`
    at::Tensor tensor;
  };

  virtual ~Optimizer() = default;

  /// One step, in place.
  /// @param gradients  one per parameter, of its shape, in its precision or a lower one; where one is undefined, that
  ///                   parameter and its memory stay as they are
  /// @param rates      the learning rate of each parameter
  virtual void step(std::span<const at::Tensor> gradients, std::span<const double> rates) = 0;

  /// What is remembered of parameter `i`; writing to the tensors restores a state.
  virtual std::vector<Memory> memory(size_t i) const = 0;

  /// Steps done so far; decays and bias corrections count them.
  int64_t steps() const noexcept { return steps_; }
  void set_steps(int64_t steps) noexcept { steps_ = steps; }

 protected:
  int64_t steps_ = 0;
};

}  // namespace atelier::diffusion
