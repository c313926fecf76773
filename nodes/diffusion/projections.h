// Linear layers whose weights do not learn, with the low-rank updates that do: several that share one input, and what
// comes before them, in one function with a gradient of its own. On the CPU in float32.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "diffusion/adapters.h"

namespace atelier::diffusion {

/// One linear layer and, where it is adapted, its update: y = x W^T + bias + scale * (x A^T) B^T.
struct Projection {
  at::Tensor weight;  ///< [out, in]
  at::Tensor bias;    ///< [out], or undefined
  at::Tensor a, b;    ///< [r, in] and [out, r], or both undefined
  double scale = 0;
};

/// What is done to the input first. It is computed anew in the backward pass: only the input is kept.
enum class Before { nothing, layer_norm, geglu };

struct ProjectionInput {
  Before before = Before::nothing;
  at::Tensor norm_weight{}, norm_bias{};  ///< of a layer_norm, frozen
  double norm_eps = 0;
  bool maps = false;                ///< x is [N, in, h, w], each pixel a token, instead of [N, T, in]
  std::vector<int64_t> out_maps{};  ///< [N, out, h, w] of results that are to be maps; empty: [N, T, out]
};

/// The results, one a projection, [N, T, out] (or maps). x [N, T, in]; before a geglu (Shazeer 2020: the second half
/// gates the first) [N, T, 2 * in]. Gradients flow to x and to every a and b.
std::vector<at::Tensor> project(const at::Tensor& x, const ProjectionInput& input,
                                const std::vector<Projection>& projections);

}  // namespace atelier::diffusion
