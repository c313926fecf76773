// The masked loss of the portrait method: a training learns only what its mask shows it.
#pragma once

#include <ATen/ATen.h>

namespace atelier::diffusion {

enum class LossNormalize {
  none,  ///< sum(m * (prediction - target)^2) / (C * H * W): a pixel weighs the same in every LoRA
  mask,  ///< … / (C * sum(m)): a sample weighs the same, however small its mask
};

/// Under this share of the picture a mask gets no further weight from LossNormalize::mask: sum(m) counts as at least
/// this share of H * W, so that a handful of pixels cannot outweigh whole pictures, and an empty mask gives zero.
inline constexpr double kLeastMaskShare = 0.01;

/// The loss of each sample, [N]. The gradient with respect to the prediction is exactly zero where the mask is zero.
/// @param prediction, target  [N, C, H, W]
/// @param mask                [N, 1, H, W] in [0, 1], on the grid of the latents
at::Tensor masked_loss(const at::Tensor& prediction, const at::Tensor& target, const at::Tensor& mask,
                       LossNormalize normalize);

/// A mask whose outside weighs `outside` instead of nothing, as kohya's and OneTrainer's unmasked weight:
/// m + (1 - m) * outside. @param outside  in [0, 1]
at::Tensor with_unmasked_weight(const at::Tensor& mask, double outside);

/// A mask resampled to the grid of the latents by area, the transition zone kept: [N, 1, h, w], float32.
/// @param mask  [N, 1, H, W], H and W multiples of h and w or not
at::Tensor mask_on_grid(const at::Tensor& mask, int64_t height, int64_t width);

}  // namespace atelier::diffusion
