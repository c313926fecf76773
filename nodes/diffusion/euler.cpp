#include "diffusion/euler.h"

#include <ATen/ATen.h>

#include <cmath>

#include "diffusion/noise_levels.h"
#include "diffusion/timestep_spacing.h"

namespace atelier::diffusion {
namespace {

struct EulerPlan {
  PredictionType prediction;
  TimestepSpacing spacing;
  std::vector<double> timesteps;
  std::vector<double> sigmas;
};

/// Timesteps in float32, which diffusers spaces and interpolates them in.
EulerPlan plan(const NoiseSchedule& schedule, const SchedulerConfig& config, int64_t steps, FinalSigma final_sigma) {
  const NoiseLevels levels(schedule);
  EulerPlan plan{schedule.prediction(), config.timestep_spacing.value_or(TimestepSpacing::linspace), {}, {}};
  plan.timesteps = as_float(space_timesteps(plan.spacing, config, steps));
  plan.sigmas = levels.sigmas_at(plan.timesteps);
  plan.sigmas.push_back(final_sigma == FinalSigma::zero ? 0.0 : levels.least());
  plan.sigmas = as_float(std::move(plan.sigmas));
  return plan;
}

class Euler : public Sampler {
 public:
  explicit Euler(EulerPlan plan)
      : Sampler(std::move(plan.timesteps), std::move(plan.sigmas)),
        prediction_(plan.prediction),
        spacing_(plan.spacing) {}

  double initial_scale() const override { return unscaled_initial_scale(sigmas().front(), spacing_); }

  at::Tensor add_noise(const at::Tensor& clean, const at::Tensor& noise, std::size_t call) const override {
    return clean + noise * sigmas()[call];
  }

  at::Tensor model_input(const at::Tensor& sample, std::size_t call) const override {
    return sample / std::sqrt(sigmas()[call] * sigmas()[call] + 1);
  }

  at::Tensor step(const at::Tensor& prediction, const at::Tensor& sample, std::size_t call, const DrawNoise&) override {
    return towards(prediction, sample, sigmas()[call], sigmas()[call + 1]);
  }

 protected:
  /// Along the derivative, from one sigma to another.
  at::Tensor towards(const at::Tensor& prediction, const at::Tensor& sample, double from, double to) const {
    const at::Tensor clean = clean_of_unscaled(prediction_, prediction, sample, from);
    return sample + (sample - clean) / from * (to - from);
  }

 private:
  PredictionType prediction_;
  TimestepSpacing spacing_;
};

class EulerAncestral final : public Euler {
 public:
  using Euler::Euler;
  StepNoise step_noise() const override { return StepNoise::fresh; }

  at::Tensor step(const at::Tensor& prediction, const at::Tensor& sample, std::size_t call,
                  const DrawNoise& noise) override {
    const double from = sigmas()[call], to = sigmas()[call + 1];
    const double up = std::sqrt(to * to * (from * from - to * to) / (from * from));
    const double down = std::sqrt(to * to - up * up);
    return towards(prediction, sample, from, down) + noise(from, to) * up;
  }
};

}  // namespace

std::unique_ptr<Sampler> make_euler(const NoiseSchedule& schedule, const SchedulerConfig& config, int64_t steps) {
  return std::make_unique<Euler>(plan(schedule, config, steps, config.final_sigma));
}

std::unique_ptr<Sampler> make_euler_ancestral(const NoiseSchedule& schedule, const SchedulerConfig& config,
                                              int64_t steps) {
  return std::make_unique<EulerAncestral>(plan(schedule, config, steps, FinalSigma::zero));
}

double unscaled_initial_scale(double greatest_sigma, TimestepSpacing spacing) {
  if (spacing != TimestepSpacing::leading) return greatest_sigma;
  return std::sqrt(greatest_sigma * greatest_sigma + 1);
}

}  // namespace atelier::diffusion
