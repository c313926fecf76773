// Adafactor (Shazeer & Stern 2018), number for number as transformers' with relative_step, scale_parameter and
// warmup_init off and no first moment: the squares of a matrix's gradient are remembered as one mean for each row and
// one for each column, which takes next to no memory beside AdamW's two whole copies.
#pragma once

#include "diffusion/optimizer.h"

namespace atelier::diffusion {

struct AdafactorOptions {
  double epsilon = 1e-30;       ///< added to each square
  double clip_threshold = 1.0;  ///< an update whose root mean square is larger is scaled down to it
  double decay_rate = -0.8;     ///< the means forget with 1 - step^decay_rate
  double weight_decay = 0.0;
};

/// Its memory: `square_rows` [K, …, n] and `square_columns` [K, …, m] of a parameter [K, …, n, m]; `square` of the
/// parameter's shape where that is [K] or [K, n].
class Adafactor final : public Optimizer {
 public:
  /// @param parameters  [K, …], changed in place by step(); shared, not copied
  Adafactor(std::vector<at::Tensor> parameters, AdafactorOptions options);

  void step(std::span<const at::Tensor> gradients, std::span<const double> rates) override;
  std::vector<Memory> memory(size_t i) const override;

 private:
  /// Means of squares; the whole ones or those of rows and columns.
  struct Squares {
    at::Tensor whole, rows, columns;
  };
  at::Tensor update_of(const at::Tensor& gradient, Squares& squares, double forgets) const;

  std::vector<at::Tensor> parameters_;
  std::vector<Squares> squares_;
  AdafactorOptions options_;
};

}  // namespace atelier::diffusion
