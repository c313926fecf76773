#include "diffusion/noise_levels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace atelier::diffusion {
namespace {

constexpr float kLeastSignal = 0x1p-24F;  // the alphas_cumprod that diffusers takes instead of 0
constexpr double kLeastSigma = 1e-10;     // has a logarithm
constexpr double kKarrasRho = 7.0;

}  // namespace

NoiseLevels::NoiseLevels(const NoiseSchedule& schedule) {
  at::Tensor signal = schedule.alphas_cumprod().clone();
  if (schedule.zero_terminal_snr()) signal[-1] = kLeastSignal;
  const at::Tensor sigmas = ((1.0 - signal) / signal).sqrt().contiguous();
  sigmas_.assign(sigmas.data_ptr<float>(), sigmas.data_ptr<float>() + sigmas.numel());
  for (const float sigma : sigmas_) log_sigmas_.push_back(std::log(sigma));
}

double NoiseLevels::sigma_at(double timestep) const {
  const double last = static_cast<double>(sigmas_.size() - 1);
  if (timestep <= 0) return least();
  if (timestep >= last) return greatest();
  const auto low = static_cast<std::size_t>(timestep);
  const double slope = static_cast<double>(sigmas_[low + 1]) - static_cast<double>(sigmas_[low]);
  return slope * (timestep - static_cast<double>(low)) + static_cast<double>(sigmas_[low]);
}

std::vector<double> NoiseLevels::sigmas_at(const std::vector<double>& timesteps) const {
  std::vector<double> sigmas;
  for (const double t : timesteps) sigmas.push_back(sigma_at(t));
  return sigmas;
}

double NoiseLevels::timestep_of(double sigma) const {
  if (log_sigmas_.size() < 2) return 0;
  const double wanted = std::log(std::max(sigma, kLeastSigma));
  const auto above = std::upper_bound(log_sigmas_.begin(), log_sigmas_.end(), wanted,
                                      [](double value, float entry) { return value < static_cast<double>(entry); });
  const std::ptrdiff_t last_low = static_cast<std::ptrdiff_t>(log_sigmas_.size()) - 2;
  const auto low = std::clamp<std::ptrdiff_t>(above - log_sigmas_.begin() - 1, 0, last_low);
  const float at_low = log_sigmas_[static_cast<std::size_t>(low)];
  const float at_high = log_sigmas_[static_cast<std::size_t>(low) + 1];
  const double part = (static_cast<double>(at_low) - wanted) / static_cast<double>(at_low - at_high);
  const double share = std::clamp(part, 0.0, 1.0);
  return (1 - share) * static_cast<double>(low) + share * static_cast<double>(low + 1);
}

std::vector<double> karras_sigmas(double greatest, double least, int64_t count) {
  const double top = std::pow(greatest, 1 / kKarrasRho), bottom = std::pow(least, 1 / kKarrasRho);
  std::vector<double> sigmas;
  for (int64_t i = 0; i < count; ++i) {
    const double part = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.0;
    sigmas.push_back(std::pow(top + part * (bottom - top), kKarrasRho));
  }
  return sigmas;
}

std::vector<double> as_float(std::vector<double> values) {
  for (double& value : values) value = static_cast<double>(static_cast<float>(value));
  return values;
}

Level::Level(double ratio)
    : alpha(1 / std::sqrt(ratio * ratio + 1)), sigma(ratio * alpha), lambda(std::log(alpha) - std::log(sigma)) {}

at::Tensor clean_of(PredictionType type, const at::Tensor& prediction, const at::Tensor& sample, const Level& level) {
  if (type == PredictionType::epsilon) return (sample - level.sigma * prediction) / level.alpha;
  return level.alpha * sample - level.sigma * prediction;
}

at::Tensor clean_of_unscaled(PredictionType type, const at::Tensor& prediction, const at::Tensor& sample,
                             double sigma) {
  if (type == PredictionType::epsilon) return sample - sigma * prediction;
  const double variance = sigma * sigma + 1;
  return prediction * (-sigma / std::sqrt(variance)) + sample / variance;
}

}  // namespace atelier::diffusion
