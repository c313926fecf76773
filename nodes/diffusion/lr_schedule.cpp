#include "diffusion/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace atelier::diffusion {

double learning_rate(const LrSchedule& schedule, int64_t step) {
  if (step < schedule.warmup_steps)
    return schedule.peak * static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
  if (schedule.curve == LrCurve::constant) return schedule.peak;
  const auto after_warmup = static_cast<double>(std::max<int64_t>(1, schedule.steps - schedule.warmup_steps));
  const double progress = static_cast<double>(step - schedule.warmup_steps) / after_warmup;
  return schedule.peak * std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
}

}  // namespace atelier::diffusion
