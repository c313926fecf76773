// 3x3 convolutions by Winograd's minimal filtering, F(4x4, 3x3), on the CPU in float32: a quarter of the products of
// the plain sum (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks").
#pragma once

#include <cstdint>

namespace atelier::diffusion {

/// Maps of N pictures, [N, channels, height, width].
struct Maps {
  int64_t count, channels, height, width;
  int64_t pixels() const { return height * width; }
  int64_t columns() const { return count * pixels(); }
};

enum class Direction { forward, backward };

/// Whether a convolution of such maps (stride 1, padding 1) takes less time so than as a plain sum. Independent of the
/// count of pictures.
bool winograd_pays(const Maps& maps);

/// Forward: `to` = the convolution of `from` with weight [to.channels, from.channels, 3, 3] and bias (or null); stride
/// 1, padding 1. Backward: `to` = the gradient of that convolution's input, `from` its output's, weight [from.channels,
/// to.channels, 3, 3]. `from` and `to` differ in channels alone. Weights are transformed anew in each call.
void winograd_convolve(Direction direction, const Maps& from, const float* data, const float* weight, const float* bias,
                       const Maps& to, float* out);

}  // namespace atelier::diffusion
