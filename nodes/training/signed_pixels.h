// training: images as autoencoders see them.
#pragma once
#include <ATen/core/Tensor.h>

#include "types/images.h"

namespace atelier {

// u8 RGB, [H, W, 3], as float32 in [-1, 1], [3, H, W].
at::Tensor signed_pixels(const at::Tensor& pixels);
at::Tensor signed_pixels(const Image& image);

}  // namespace atelier
