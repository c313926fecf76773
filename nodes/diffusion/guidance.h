// How the predictions with and without the prompt become one.
#pragma once

#include <ATen/core/Tensor.h>

namespace atelier::diffusion {

/// Classifier-free guidance (Ho & Salimans 2022): without + scale * (with - without).
at::Tensor guide(const at::Tensor& without, const at::Tensor& with, double scale);

/// The guided prediction with its standard deviation brought back towards that of the prediction with the prompt, which
/// keeps pictures from being over-exposed: Lin et al. 2023 (arXiv 2305.08891), section 3.4; diffusers'
/// rescale_noise_cfg.
/// @param guided, with  [N, C, h, w]; each row by itself
/// @param amount        0: guided as it is; 1: with the other's deviation; between them a mix
at::Tensor rescale_guidance(const at::Tensor& guided, const at::Tensor& with, double amount);

}  // namespace atelier::diffusion
