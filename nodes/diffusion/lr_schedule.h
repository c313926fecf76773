// How the learning rate goes over a training.
#pragma once

#include <cstdint>

namespace atelier::diffusion {

enum class LrCurve {
  constant,
  linear,                ///< falls to zero
  cosine,                ///< falls to zero along half a cosine
  cosine_with_restarts,  ///< falls to zero along half a cosine, as often as `restarts` says
};

struct LrSchedule {
  LrCurve curve = LrCurve::cosine;
  double peak = 1e-4;
  int64_t warmup_steps = 0;  ///< the rate rises linearly over the first so many steps
  int64_t steps = 1;         ///< of the whole training; all curves but the constant one reach zero at its end
  int64_t restarts = 1;      ///< cosines of cosine_with_restarts, which diffusers calls num_cycles
};

/// What the rate of step `step` (0-based) is of its peak, in [0, 1]: number for number as diffusers' get_scheduler of
/// "constant_with_warmup", "linear", "cosine" and "cosine_with_restarts".
double learning_rate_factor(const LrSchedule& schedule, int64_t step);

/// The rate of step `step`: peak times factor.
double learning_rate(const LrSchedule& schedule, int64_t step);

}  // namespace atelier::diffusion
