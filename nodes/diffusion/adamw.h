// AdamW (Loshchilov & Hutter 2019), number for number as torch.optim.AdamW: decoupled weight decay, epsilon outside
// the square root.
#pragma once

#include "diffusion/optimizer.h"

namespace atelier::diffusion {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
};

/// Its memory: `moment1` and `moment2`, running means of the gradient and of its square, of the parameter's shape.
class AdamW final : public Optimizer {
 public:
  /// @param parameters  changed in place by step(); shared, not copied
  AdamW(std::vector<at::Tensor> parameters, AdamWOptions options);

  void step(std::span<const at::Tensor> gradients, std::span<const double> rates) override;
  std::vector<Memory> memory(size_t i) const override;

 private:
  size_t end_of_group(std::span<const at::Tensor> gradients, std::span<const double> rates, size_t begin) const;
  void step_group(std::span<const at::Tensor> gradients, double rate, size_t begin, size_t end);

  std::vector<at::Tensor> parameters_, first_, second_;
  AdamWOptions options_;
};

}  // namespace atelier::diffusion
