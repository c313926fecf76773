// Attention: on the CPU in float32 by blocks, scores computed anew in the backward pass; elsewhere by libtorch.
#pragma once

#include <ATen/core/Tensor.h>

namespace atelier::diffusion {

/// In what precision q k^T and its softmax are computed: the inputs', or float32 where half overflows (SD 2.x with
/// `upcast_attention`). The softmax sums in float32 either way.
enum class ScorePrecision { inputs, float32 };

/// softmax(q k^T / sqrt(d) + mask) v over `heads` heads. q [B, N, heads * d], k and v [B, M, heads * d], mask undefined
/// or broadcastable to [B * heads, N, M]; gives [B, N, heads * d]. Vaswani et al. 2017, eq. 1. Neither pass holds a
/// matrix of scores on the CPU in float32 without a mask; elsewhere, where no gradient is wanted, queries go in slices,
/// so that the matrix of scores stays under 64 Mi elements.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads,
                     const at::Tensor& mask = {}, ScorePrecision scores = ScorePrecision::inputs);

}  // namespace atelier::diffusion
