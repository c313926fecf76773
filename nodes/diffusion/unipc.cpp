#include "diffusion/unipc.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "diffusion/noise_levels.h"
#include "diffusion/timestep_spacing.h"

namespace atelier::diffusion {
namespace {

constexpr int kOrder = 2;

/// Each call first corrects the sample that the last prediction led to, then predicts the next one.
class UniPc final : public Sampler {
 public:
  UniPc(PredictionType prediction, const SchedulerConfig& config, std::vector<double> timesteps,
        std::vector<double> sigmas)
      : Sampler(std::move(timesteps), std::move(sigmas)),
        prediction_(prediction),
        first_order_at_end_(config.lower_order_final || config.final_sigma == FinalSigma::zero) {}

  at::Tensor add_noise(const at::Tensor& clean, const at::Tensor& noise, std::size_t call) const override {
    const Level level(sigmas()[call]);
    return level.alpha * clean + level.sigma * noise;
  }

  at::Tensor step(const at::Tensor& prediction, const at::Tensor& sample, std::size_t call, const DrawNoise&) override {
    const at::Tensor clean = clean_of(prediction_, prediction, sample, Level(sigmas()[call]));
    const at::Tensor corrected = last_order_ > 0 ? correct(clean, call) : sample;

    const bool last = call + 1 == timesteps().size();
    const int greatest = last && first_order_at_end_ ? 1 : kOrder;
    last_order_ = std::min(greatest, last_order_ + 1);
    before_last_clean_ = last_clean_;
    last_clean_ = clean;
    last_sample_ = corrected;
    return predict(call);
  }

 private:
  /// The step from one call's level to the next, and what both formulas share: B2(h) = e^-h - 1.
  struct Stride {
    Stride(double from_sigma, double to_sigma) : from(from_sigma), to(to_sigma), h(to.lambda - from.lambda) {}
    at::Tensor first_order(const at::Tensor& sample, const at::Tensor& clean) const {
      return (to.sigma / from.sigma) * sample - (to.alpha * decay()) * clean;
    }
    double decay() const { return std::expm1(-h); }
    Level from, to;
    double h;
  };

  /// (lambda of the call before - lambda of the call) / h: where the older clean sample lies, in strides.
  double older_at(std::size_t call, const Stride& stride) const {
    return (Level(sigmas()[call - 1]).lambda - stride.from.lambda) / stride.h;
  }

  at::Tensor predict(std::size_t call) const {
    const Stride stride(sigmas()[call], sigmas()[call + 1]);
    const at::Tensor result = stride.first_order(last_sample_, last_clean_);
    if (last_order_ < 2) return result;
    const double weight = 0.5 / older_at(call, stride);
    return result - (stride.to.alpha * stride.decay() * weight) * (before_last_clean_ - last_clean_);
  }

  /// The sample at `call` anew, now that the clean sample there is known.
  at::Tensor correct(const at::Tensor& clean, std::size_t call) const {
    const Stride stride(sigmas()[call - 1], sigmas()[call]);
    const at::Tensor result = stride.first_order(last_sample_, last_clean_);
    const double scale = stride.to.alpha * stride.decay();
    if (last_order_ < 2) return result - (scale * 0.5) * (clean - last_clean_);
    // The 2 x 2 system of the paper's equation 9: the weights sum to b1, and weighted by their places to b2.
    const double older = older_at(call - 1, stride);
    const double phi1 = stride.decay() / -stride.h - 1, phi2 = phi1 / -stride.h - 0.5;
    const double b1 = phi1 / stride.decay(), b2 = 2 * phi2 / stride.decay();
    const double older_weight = (b1 - b2) / (1 - older), weight = b1 - older_weight;
    return result - (scale * older_weight / older) * (before_last_clean_ - last_clean_) -
           (scale * weight) * (clean - last_clean_);
  }

  PredictionType prediction_;
  bool first_order_at_end_;  // always where it goes to no noise: there the second order has no finite stride
  int last_order_ = 0;       // of the last prediction; 0 before the first
  at::Tensor last_clean_, before_last_clean_;
  at::Tensor last_sample_;  // corrected
};

}  // namespace

std::unique_ptr<Sampler> make_unipc(const NoiseSchedule& schedule, const SchedulerConfig& config, int64_t steps) {
  const NoiseLevels levels(schedule);
  std::vector<double> timesteps =
      space_multistep_timesteps(config.timestep_spacing.value_or(TimestepSpacing::linspace), config, steps);
  std::vector<double> sigmas = levels.sigmas_at(timesteps);
  sigmas.push_back(config.final_sigma == FinalSigma::zero ? 0.0 : levels.least());
  return std::make_unique<UniPc>(schedule.prediction(), config, std::move(timesteps), as_float(std::move(sigmas)));
}

}  // namespace atelier::diffusion
