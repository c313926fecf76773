#include "diffusion/dpm_multistep.h"

#include <ATen/ATen.h>

#include <cmath>

#include "diffusion/noise_levels.h"
#include "diffusion/timestep_spacing.h"

namespace atelier::diffusion {
namespace {

/// diffusers' limit under which `lower_order_final` makes the last step a first-order one.
constexpr std::size_t kFewSteps = 15;

class DpmMultistep final : public Sampler {
 public:
  DpmMultistep(PredictionType prediction, const SchedulerConfig& config, std::vector<double> timesteps,
               std::vector<double> sigmas)
      : Sampler(std::move(timesteps), std::move(sigmas)),
        prediction_(prediction),
        first_order_at_end_(config.final_sigma == FinalSigma::zero || config.euler_at_final ||
                            (config.lower_order_final && this->timesteps().size() < kFewSteps)) {}

  at::Tensor add_noise(const at::Tensor& clean, const at::Tensor& noise, std::size_t call) const override {
    const Level level(sigmas()[call]);
    return level.alpha * clean + level.sigma * noise;
  }

  at::Tensor step(const at::Tensor& prediction, const at::Tensor& sample, std::size_t call, const DrawNoise&) override {
    const Level now(sigmas()[call]), next(sigmas()[call + 1]);
    const at::Tensor clean = clean_of(prediction_, prediction, sample, now);
    const bool last = call + 1 == timesteps().size();
    const double decay = std::expm1(now.lambda - next.lambda);  // e^-h - 1
    at::Tensor result = (next.sigma / now.sigma) * sample - (next.alpha * decay) * clean;
    if (last_clean_.defined() && !(last && first_order_at_end_)) {
      const Level before(sigmas()[call - 1]);
      const double ratio = (now.lambda - before.lambda) / (next.lambda - now.lambda);
      result = result - (0.5 * next.alpha * decay / ratio) * (clean - last_clean_);
    }
    last_clean_ = clean;
    return result;
  }

 private:
  PredictionType prediction_;
  bool first_order_at_end_;
  at::Tensor last_clean_;  // of the call before; undefined at the first
};

}  // namespace

std::unique_ptr<Sampler> make_dpm_multistep(const NoiseSchedule& schedule, const SchedulerConfig& config, int64_t steps,
                                            SigmaCurve curve) {
  const NoiseLevels levels(schedule);
  std::vector<double> timesteps, sigmas;
  if (curve == SigmaCurve::karras) {
    sigmas = karras_sigmas(levels.greatest(), levels.least(), steps);
    for (const double sigma : sigmas) timesteps.push_back(std::nearbyint(levels.timestep_of(sigma)));
  } else {
    timesteps = space_multistep_timesteps(config.timestep_spacing.value_or(TimestepSpacing::linspace), config, steps);
    sigmas = levels.sigmas_at(timesteps);
  }
  sigmas.push_back(config.final_sigma == FinalSigma::zero ? 0.0 : levels.least());
  return std::make_unique<DpmMultistep>(schedule.prediction(), config, std::move(timesteps),
                                        as_float(std::move(sigmas)));
}

}  // namespace atelier::diffusion
