#include "diffusion/timestep_spacing.h"

#include <algorithm>
#include <cmath>

namespace atelier::diffusion {
namespace {

/// Rounds halves to even, as numpy does.
double round_as_numpy(double value) { return std::nearbyint(value); }

std::vector<double> leading(int64_t count, int64_t stride, int64_t offset) {
  std::vector<double> timesteps;
  for (int64_t i = count - 1; i >= 0; --i) timesteps.push_back(static_cast<double>(i * stride + offset));
  return timesteps;
}

/// numpy.arange(T, 0, -T / steps), rounded, minus 1. Its stride is that of its first two values, which decides how
/// halves fall.
std::vector<double> trailing(int64_t train_steps, int64_t steps) {
  const auto top = static_cast<double>(train_steps);
  const double stride = (top - top / static_cast<double>(steps)) - top;
  std::vector<double> timesteps;
  for (int64_t i = 0; i < steps; ++i) timesteps.push_back(round_as_numpy(top + static_cast<double>(i) * stride) - 1);
  return timesteps;
}

std::vector<double> linspace(int64_t train_steps, int64_t count) {
  const auto last = static_cast<double>(train_steps - 1);
  const double stride = count > 1 ? last / static_cast<double>(count - 1) : 0.0;
  std::vector<double> timesteps;
  for (int64_t i = count - 1; i >= 0; --i) timesteps.push_back(static_cast<double>(i) * stride);
  if (count > 1) timesteps.front() = last;
  return timesteps;
}

}  // namespace

std::vector<double> space_timesteps(TimestepSpacing spacing, const SchedulerConfig& config, int64_t steps) {
  const int64_t train_steps = config.num_train_timesteps;
  switch (spacing) {
    case TimestepSpacing::leading:
      return leading(steps, train_steps / steps, config.steps_offset);
    case TimestepSpacing::trailing:
      return trailing(train_steps, steps);
    case TimestepSpacing::linspace:
      return linspace(train_steps, steps);
  }
  return {};
}

std::vector<double> space_multistep_timesteps(TimestepSpacing spacing, const SchedulerConfig& config, int64_t steps) {
  const int64_t train_steps = config.num_train_timesteps;
  if (spacing == TimestepSpacing::trailing) return trailing(train_steps, steps);
  std::vector<double> timesteps = spacing == TimestepSpacing::leading
                                      ? leading(steps + 1, train_steps / (steps + 1), config.steps_offset)
                                      : linspace(train_steps, steps + 1);
  timesteps.pop_back();
  for (double& t : timesteps) t = round_as_numpy(t);
  return timesteps;
}

}  // namespace atelier::diffusion
