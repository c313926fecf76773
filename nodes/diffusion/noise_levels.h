// How much noise a timestep stands for, as the ratio sigma of noise to signal: sqrt((1 - ac) / ac). Between timesteps
// it is interpolated. Karras et al. 2022 (arXiv 2206.00364); arithmetic as diffusers', float32 tables, float64 between.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "diffusion/noise_schedule.h"

namespace atelier::diffusion {

/// The sigmas of a training's timesteps.
class NoiseLevels {
 public:
  /// Of a schedule with zero terminal SNR the last sigma would be infinite; as in diffusers it is that of ac = 2^-24.
  explicit NoiseLevels(const NoiseSchedule& schedule);

  double least() const { return sigmas_.front(); }
  double greatest() const { return sigmas_.back(); }

  /// The sigma of a timestep, linear between two; outside the training's timesteps that of the nearest.
  double sigma_at(double timestep) const;
  std::vector<double> sigmas_at(const std::vector<double>& timesteps) const;

  /// The timestep of a sigma, linear in log(sigma) between two, within the training's.
  double timestep_of(double sigma) const;

 private:
  std::vector<float> sigmas_;      // ascending with the timestep
  std::vector<float> log_sigmas_;  // their natural logarithms
};

/// `count` sigmas from `greatest` to `least`, evenly spaced in their 7th root: Karras et al. 2022, equation 5.
std::vector<double> karras_sigmas(double greatest, double least, int64_t count);

/// Values as float32 would hold them: diffusers keeps its sigmas so.
std::vector<double> as_float(std::vector<double> values);

/// A noise level of a sample that keeps its variance: alpha * clean + sigma * noise.
struct Level {
  explicit Level(double ratio);
  double alpha;   ///< 1 / sqrt(ratio^2 + 1)
  double sigma;   ///< ratio * alpha
  double lambda;  ///< log(alpha / sigma), half the log SNR; infinite without noise
};

/// The clean sample from a model's prediction for a sample alpha * clean + sigma * noise.
at::Tensor clean_of(PredictionType type, const at::Tensor& prediction, const at::Tensor& sample, const Level& level);

/// The clean sample from a model's prediction for a sample clean + sigma * noise, which the model saw scaled to unit
/// variance.
at::Tensor clean_of_unscaled(PredictionType type, const at::Tensor& prediction, const at::Tensor& sample, double sigma);

}  // namespace atelier::diffusion
