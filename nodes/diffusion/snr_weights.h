// Weights of timesteps by their signal-to-noise ratio: Hang et al. 2023, "Efficient Diffusion Training via Min-SNR
// Weighting Strategy". Nearly clean timesteps no longer outweigh all others.
#pragma once

#include <ATen/core/Tensor.h>

#include "diffusion/noise_schedule.h"

namespace atelier::diffusion {

/// alphas_cumprod / (1 - alphas_cumprod) of each timestep, as diffusers' compute_snr: [N] float32, on t's device.
/// @param t  [N] int64
at::Tensor signal_to_noise(const NoiseSchedule& schedule, const at::Tensor& t);

/// The factor of each sample's loss, [N]: min(snr, gamma) / snr where the model predicts the noise,
/// min(snr, gamma) / (snr + 1) where it predicts the velocity. @param gamma  over 0; the paper's choice is 5
at::Tensor min_snr_weights(const NoiseSchedule& schedule, const at::Tensor& t, double gamma);

}  // namespace atelier::diffusion
