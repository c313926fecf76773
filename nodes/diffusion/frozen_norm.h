// Group normalisation whose weights do not learn, on the CPU in float32.
#pragma once

#include <ATen/core/Tensor.h>

namespace atelier::diffusion {

enum class After { nothing, silu };

/// As at::group_norm(x, groups, weight, bias, eps), then silu where wanted; gradients flow to x only, which is all that
/// is kept for them. x [N, C, h, w].
at::Tensor frozen_group_norm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                             double eps, After after);

}  // namespace atelier::diffusion
