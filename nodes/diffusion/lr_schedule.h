// How the learning rate goes over a training.
#pragma once

#include <cstdint>

namespace atelier::diffusion {

enum class LrCurve { constant, cosine };

struct LrSchedule {
  LrCurve curve = LrCurve::cosine;
  double peak = 1e-4;
  int64_t warmup_steps = 0;  ///< the rate rises linearly over the first so many steps
  int64_t steps = 1;         ///< of the whole training; cosine reaches zero at its end
};

/// The rate of step `step` (0-based), as diffusers' get_scheduler("constant_with_warmup") and ("cosine") give it.
double learning_rate(const LrSchedule& schedule, int64_t step);

}  // namespace atelier::diffusion
