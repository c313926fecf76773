#include "diffusion/ddim.h"

#include <fmt/format.h>

#include <cmath>

namespace atelier::diffusion {
namespace {

/// Rounds halves to even, as numpy does, which diffusers' timesteps come from.
int64_t round_as_numpy(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

std::vector<int64_t> leading(int64_t train_steps, int64_t steps, int64_t offset) {
  std::vector<int64_t> timesteps;
  for (int64_t i = steps - 1; i >= 0; --i) timesteps.push_back(i * (train_steps / steps) + offset);
  return timesteps;
}

std::vector<int64_t> trailing(int64_t train_steps, int64_t steps) {
  const double stride = static_cast<double>(train_steps) / static_cast<double>(steps);
  std::vector<int64_t> timesteps;
  for (int64_t i = 0; i < steps; ++i)
    timesteps.push_back(round_as_numpy(static_cast<double>(train_steps) - static_cast<double>(i) * stride) - 1);
  return timesteps;
}

std::vector<int64_t> linspace(int64_t train_steps, int64_t steps) {
  const double stride = steps > 1 ? static_cast<double>(train_steps - 1) / static_cast<double>(steps - 1) : 0.0;
  std::vector<int64_t> timesteps;
  for (int64_t i = steps - 1; i >= 0; --i) timesteps.push_back(round_as_numpy(static_cast<double>(i) * stride));
  return timesteps;
}

}  // namespace

Result<Ddim> Ddim::create(const SchedulerConfig& config, int64_t steps) {
  auto schedule = NoiseSchedule::create(config);
  if (!schedule) return tl::unexpected(schedule.error());
  const int64_t train_steps = schedule->timesteps();
  if (steps < 1 || steps > train_steps)
    return fail(fmt::format("DDIM: {} steps were asked for; it can be 1 to {}, the base model's timesteps", steps,
                            train_steps));

  Ddim ddim(*std::move(schedule), steps);
  if (config.timestep_spacing == "leading") {
    ddim.timesteps_ = leading(train_steps, steps, config.steps_offset);
  } else if (config.timestep_spacing == "trailing") {
    ddim.timesteps_ = trailing(train_steps, steps);
  } else if (config.timestep_spacing == "linspace") {
    ddim.timesteps_ = linspace(train_steps, steps);
  } else {
    return fail(
        fmt::format("scheduler: timestep_spacing '{}' is not supported; it can be leading, trailing or linspace",
                    config.timestep_spacing));
  }
  // An offset can push the noisiest step past the schedule when nearly all timesteps are asked for.
  for (int64_t& t : ddim.timesteps_) t = std::min(t, train_steps - 1);
  ddim.final_alpha_ = config.set_alpha_to_one ? 1.0 : ddim.schedule_.alphas_cumprod()[0].item<double>();
  ddim.clip_range_ = config.clip_sample ? config.clip_sample_range : 0.0;
  return ddim;
}

Ddim::Ddim(NoiseSchedule schedule, int64_t steps)
    : schedule_(std::move(schedule)), stride_(schedule_.timesteps() / steps) {}

at::Tensor Ddim::step(const at::Tensor& prediction, const at::Tensor& sample, int64_t t) const {
  auto [x0, noise] = schedule_.denoise(prediction, sample, t);
  if (clip_range_ > 0) x0 = x0.clamp(-clip_range_, clip_range_);
  const int64_t before = t - stride_;
  const at::Tensor share = before >= 0 ? schedule_.alphas_cumprod()[before].to(sample.device())
                                       : at::full({}, final_alpha_, sample.options());
  return share.sqrt() * x0 + (1.0 - share).sqrt() * noise;
}

at::Tensor guide(const at::Tensor& without, const at::Tensor& with, double scale) {
  return without + scale * (with - without);
}

}  // namespace atelier::diffusion
