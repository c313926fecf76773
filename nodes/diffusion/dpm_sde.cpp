#include "diffusion/dpm_sde.h"

#include <ATen/ATen.h>

#include <cmath>

#include "diffusion/euler.h"
#include "diffusion/noise_levels.h"
#include "diffusion/timestep_spacing.h"

namespace atelier::diffusion {
namespace {

/// Calls are alternately the first of a step, at its sigma, and the second, half way to the next in log(sigma); the
/// last step goes to no noise in one call. sigmas() has the next step's twice: where a second call leads, and where the
/// next first call stands.
class DpmSde final : public Sampler {
 public:
  DpmSde(PredictionType prediction, TimestepSpacing spacing, std::vector<double> timesteps, std::vector<double> sigmas)
      : Sampler(std::move(timesteps), std::move(sigmas)), prediction_(prediction), spacing_(spacing) {}

  std::size_t calls_per_step() const override { return 2; }
  StepNoise step_noise() const override { return StepNoise::brownian; }
  double initial_scale() const override { return unscaled_initial_scale(sigmas().front(), spacing_); }

  at::Tensor add_noise(const at::Tensor& clean, const at::Tensor& noise, std::size_t call) const override {
    return clean + noise * sigmas()[call];
  }

  at::Tensor model_input(const at::Tensor& sample, std::size_t call) const override {
    const double sigma = sigma_of(call);
    return sample / std::sqrt(sigma * sigma + 1);
  }

  at::Tensor step(const at::Tensor& prediction, const at::Tensor& sample, std::size_t call,
                  const DrawNoise& noise) override {
    const at::Tensor clean = clean_of_unscaled(prediction_, prediction, sample, sigma_of(call));
    if (is_second(call)) return walk(clean, start_, sigmas()[call - 1], sigmas()[call], noise);
    if (sigmas()[call + 1] == 0) return clean;
    start_ = sample;
    return walk(clean, sample, sigmas()[call], sigma_of(call + 1), noise);
  }

 private:
  static bool is_second(std::size_t call) { return call % 2 == 1; }

  double sigma_of(std::size_t call) const {
    return is_second(call) ? std::sqrt(sigmas()[call - 1] * sigmas()[call]) : sigmas()[call];
  }

  /// The exact solution between two sigmas for a constant clean sample, with all the noise that eta 1 renews.
  static at::Tensor walk(const at::Tensor& clean, const at::Tensor& sample, double from, double to,
                         const DrawNoise& noise) {
    const double up = std::min(to, std::sqrt(to * to * (from * from - to * to) / (from * from)));
    const double down = std::sqrt(to * to - up * up);
    return (down / from) * sample + (1 - down / from) * clean + noise(from, to) * up;
  }

  PredictionType prediction_;
  TimestepSpacing spacing_;
  at::Tensor start_;  // the sample of the step's first call
};

}  // namespace

std::unique_ptr<Sampler> make_dpm_sde(const NoiseSchedule& schedule, const SchedulerConfig& config, int64_t steps) {
  const NoiseLevels levels(schedule);
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::linspace);
  const std::vector<double> spaced = levels.sigmas_at(space_timesteps(spacing, config, steps));
  const std::vector<double> curve = karras_sigmas(spaced.front(), spaced.back(), steps);

  std::vector<double> timesteps, sigmas;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (i > 0) {
      timesteps.push_back(levels.timestep_of(std::sqrt(curve[i - 1] * curve[i])));
      sigmas.push_back(curve[i]);
    }
    timesteps.push_back(levels.timestep_of(curve[i]));
    sigmas.push_back(curve[i]);
  }
  sigmas.push_back(0);
  return std::make_unique<DpmSde>(schedule.prediction(), spacing, std::move(timesteps), as_float(std::move(sigmas)));
}

}  // namespace atelier::diffusion
