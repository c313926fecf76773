// A convolution whose weights do not learn, on the CPU in float32.
#pragma once

#include <ATen/core/Tensor.h>

namespace atelier::diffusion {

/// As at::conv2d(x, weight, bias, stride, padding) with a square stride and padding; gradients flow to x only, and
/// nothing but the weights is kept for them. x [N, in, H, W], weight [out, in, kh, kw], bias [out] or undefined.
at::Tensor frozen_conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                         int64_t padding);

}  // namespace atelier::diffusion
