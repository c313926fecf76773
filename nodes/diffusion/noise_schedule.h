// The forward process of diffusion: which noise belongs to which timestep, and what the model is to predict.
// Formulas and float32 arithmetic as diffusers' DDPMScheduler; Ho et al. 2020, Salimans & Ho 2022 (v-prediction).
#pragma once

#include <ATen/ATen.h>

#include "diffusion/error.h"
#include "diffusion/scheduler_config.h"

namespace atelier::diffusion {

class NoiseSchedule {
 public:
  /// Betas of the base's scheduler configuration: `linear`, `scaled_linear` or `squaredcos_cap_v2`; prediction type
  /// `epsilon` or `v_prediction`; rescaled to zero SNR at the last timestep where it says so. An Error names the field
  /// and the value that is not supported.
  static Result<NoiseSchedule> create(const SchedulerConfig& config);

  /// Number of timesteps T that the base was trained with; a timestep is in [0, T).
  int64_t timesteps() const { return alphas_cumprod_.size(0); }
  PredictionType prediction() const noexcept { return prediction_; }
  /// Whether the last timestep is noise alone: its product of alphas is 0.
  bool zero_terminal_snr() const noexcept { return zero_terminal_snr_; }
  /// Products of 1 - beta, [T] float32.
  const at::Tensor& alphas_cumprod() const noexcept { return alphas_cumprod_; }

  /// sqrt(ac) x0 + sqrt(1 - ac) noise, ac = alphas_cumprod[t].
  /// @param x0, noise  [N, …] float32   @param t  [N] int64 in [0, T)
  at::Tensor add_noise(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const;

  /// sqrt(ac) noise - sqrt(1 - ac) x0. Shapes as add_noise.
  at::Tensor velocity(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const;

  /// What the model is to predict: the noise, or the velocity. Shapes as add_noise.
  at::Tensor target(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const;

  /// A model's prediction at one timestep, turned into the clean sample and the noise.
  struct Denoised {
    at::Tensor x0;
    at::Tensor noise;
  };
  Denoised denoise(const at::Tensor& prediction, const at::Tensor& sample, int64_t t) const;

 private:
  at::Tensor signal_share(const at::Tensor& x0, const at::Tensor& t) const;  // alphas_cumprod[t], [N, 1, …]

  at::Tensor alphas_cumprod_;
  PredictionType prediction_ = PredictionType::epsilon;
  bool zero_terminal_snr_ = false;
};

}  // namespace atelier::diffusion
