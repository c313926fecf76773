// Dynamic loss scaling (Micikevicius et al. 2018), with the numbers of torch's GradScaler: in float16 small gradients
// vanish, so the loss is scaled up before the backward pass and the gradients down after it; where that overflows, the
// step is skipped and the scale halved.
#pragma once

#include <cstdint>

namespace atelier::diffusion {

/// A plain value; it belongs to the state of a training.
struct LossScale {
  double scale = 65536;    ///< what the loss is multiplied by
  int64_t good_steps = 0;  ///< steps without an overflow since the scale changed
  int64_t skipped = 0;     ///< steps skipped since the training began

  /// What a step showed: after 2000 steps without an overflow the scale doubles; after one with, it halves.
  void update(bool overflow);

  /// Whether the scale has fallen so low that it is not the scale that makes gradients overflow.
  bool exhausted() const { return scale < 1; }
};

}  // namespace atelier::diffusion
