// Noise offset: CrossLabs 2023, "Diffusion with Offset Noise"; as diffusers' and kohya's trainers add it. Noise alone
// never moves a picture's mean, so a model trained on it draws neither night nor snow; a constant per channel does.
#pragma once

#include <ATen/ATen.h>

namespace atelier::diffusion {

/// noise + offset * draw. The result is what is added to the latents and what the model is to predict.
/// @param noise   [N, C, h, w]
/// @param draw    [N, C, 1, 1], standard normal
/// @param offset  0.05 to 0.1 are usual
inline at::Tensor offset_noise(const at::Tensor& noise, const at::Tensor& draw, double offset) {
  return noise + draw * offset;
}

}  // namespace atelier::diffusion
