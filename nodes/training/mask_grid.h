// training: masks on the grid of the latents.
#pragma once
#include "artifact/tensor.h"

namespace atelier {

// A mask in pixels resampled by area, the transition zone kept: [height, width] f32 in [0, 1].
// `mask` is u8 [H, W], value / 255 is the mask.
Tensor mask_on_grid(const Tensor& mask, std::int64_t height, std::int64_t width);

// Element by element the lesser of two masks of one size, f32.
Tensor least_of(const Tensor& one, const Tensor& other);

}  // namespace atelier
