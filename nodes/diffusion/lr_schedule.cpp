#include "diffusion/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace atelier::diffusion {
namespace {

/// Half a cosine, from 1 at 0 to 0 at 1.
double falling_cosine(double progress) { return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * progress))); }

}  // namespace

double learning_rate_factor(const LrSchedule& schedule, int64_t step) {
  if (step < schedule.warmup_steps) return static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
  const auto after_warmup = static_cast<double>(std::max<int64_t>(1, schedule.steps - schedule.warmup_steps));
  const double progress = static_cast<double>(step - schedule.warmup_steps) / after_warmup;
  switch (schedule.curve) {
    case LrCurve::constant:
      return 1;
    case LrCurve::linear:
      return std::max(0.0, static_cast<double>(schedule.steps - step) / after_warmup);
    case LrCurve::cosine:
      return falling_cosine(progress);
    case LrCurve::cosine_with_restarts:
      return progress >= 1 ? 0 : falling_cosine(std::fmod(static_cast<double>(schedule.restarts) * progress, 1.0));
  }
  return 1;
}

double learning_rate(const LrSchedule& schedule, int64_t step) {
  return schedule.peak * learning_rate_factor(schedule, step);
}

}  // namespace atelier::diffusion
