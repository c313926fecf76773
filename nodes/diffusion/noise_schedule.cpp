#include "diffusion/noise_schedule.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace atelier::diffusion {
namespace {

/// alpha_bar of Nichol & Dhariwal 2021; a beta is kept under this so that no step destroys everything.
constexpr double kGreatestCosineBeta = 0.999;

at::Tensor cosine_betas(int64_t count) {
  const auto alpha_bar = [](double time) {
    return std::pow(std::cos((time + 0.008) / 1.008 * std::numbers::pi / 2), 2);
  };
  const auto steps = static_cast<double>(count);
  std::vector<float> betas;
  for (int64_t i = 0; i < count; ++i) {
    const double ratio = alpha_bar(static_cast<double>(i + 1) / steps) / alpha_bar(static_cast<double>(i) / steps);
    betas.push_back(static_cast<float>(std::min(1 - ratio, kGreatestCosineBeta)));
  }
  return at::tensor(betas, at::kFloat);
}

Result<at::Tensor> make_betas(const SchedulerConfig& config) {
  const int64_t count = config.num_train_timesteps;
  if (config.beta_schedule == "linear") return at::linspace(config.beta_start, config.beta_end, count, at::kFloat);
  if (config.beta_schedule == "scaled_linear")
    return at::linspace(std::sqrt(config.beta_start), std::sqrt(config.beta_end), count, at::kFloat).square();
  if (config.beta_schedule == "squaredcos_cap_v2") return cosine_betas(count);
  return fail(fmt::format(
      "scheduler: beta_schedule '{}' is not supported; it can be linear, scaled_linear or squaredcos_cap_v2",
      config.beta_schedule));
}

/// Betas after which the last timestep is noise alone: Lin et al. 2023, algorithm 1. In float32 and in the order of
/// diffusers' rescale_zero_terminal_snr, so that equal numbers come out.
at::Tensor rescaled_to_zero_snr(const at::Tensor& betas) {
  const at::Tensor roots = at::cumprod(1.0 - betas, 0).sqrt();
  const at::Tensor first = roots[0], last = roots[-1];
  const at::Tensor products = ((roots - last) * (first / (first - last))).square();
  const at::Tensor alphas = at::cat({products.slice(0, 0, 1), products.slice(0, 1) / products.slice(0, 0, -1)});
  return 1.0 - alphas;
}

/// A value for each row, [N], shaped so that it multiplies [N, …].
at::Tensor per_row(const at::Tensor& values, const at::Tensor& like) {
  std::vector<int64_t> shape(static_cast<size_t>(like.dim()), 1);
  shape[0] = values.size(0);
  return values.view(shape);
}

}  // namespace

Result<NoiseSchedule> NoiseSchedule::create(const SchedulerConfig& config) {
  if (config.num_train_timesteps < 1)
    return fail(fmt::format("scheduler: num_train_timesteps is {}; it must be at least 1", config.num_train_timesteps));
  auto betas = make_betas(config);
  if (!betas) return tl::unexpected(betas.error());
  if (config.rescale_betas_zero_snr) *betas = rescaled_to_zero_snr(*betas);
  NoiseSchedule schedule;
  schedule.prediction_ = config.prediction_type;
  schedule.zero_terminal_snr_ = config.rescale_betas_zero_snr;
  schedule.alphas_cumprod_ = at::cumprod(1.0 - *betas, 0);
  return schedule;
}

at::Tensor NoiseSchedule::signal_share(const at::Tensor& x0, const at::Tensor& t) const {
  return per_row(alphas_cumprod_.to(x0.device()).index_select(0, t), x0);
}

at::Tensor NoiseSchedule::add_noise(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const {
  const at::Tensor share = signal_share(x0, t);
  return share.sqrt() * x0 + (1.0 - share).sqrt() * noise;
}

at::Tensor NoiseSchedule::velocity(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const {
  const at::Tensor share = signal_share(x0, t);
  return share.sqrt() * noise - (1.0 - share).sqrt() * x0;
}

at::Tensor NoiseSchedule::target(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const {
  return prediction_ == PredictionType::epsilon ? noise : velocity(x0, noise, t);
}

NoiseSchedule::Denoised NoiseSchedule::denoise(const at::Tensor& prediction, const at::Tensor& sample,
                                               int64_t t) const {
  const at::Tensor share = alphas_cumprod_[t].to(sample.device());
  const at::Tensor signal = share.sqrt(), noise = (1.0 - share).sqrt();
  if (prediction_ == PredictionType::epsilon) return {(sample - noise * prediction) / signal, prediction};
  return {signal * sample - noise * prediction, signal * prediction + noise * sample};
}

}  // namespace atelier::diffusion
