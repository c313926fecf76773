// A dense dW as a LoRA layer: its truncated singular value decomposition, by the eigenvalues of the smaller Gram matrix
// in float64. Nothing of it is random; it knows singular values to 1e-7 of the greatest.
#pragma once

#include "diffusion/lora_reduce.h"

namespace atelier::diffusion {

struct DenseReduction {
  std::optional<LoraLayer> layer{};  ///< float32, of the shape of the dense dW; empty where that is zero
  double squared_norm = 0;           ///< ||dW||^2, Frobenius
  double squared_error = 0;          ///< ||dW - dW'||^2
  double relative_error() const;     ///< ||dW - dW'|| / ||dW||; 0 for zero
};

/// The best approximation of `delta` ([out, in] or [out, in, kh, kw], finite) at the rank that the limit gives it.
/// `limit` must be valid (check() of lora_reduce.h).
DenseReduction reduce_dense(const at::Tensor& delta, const RankLimit& limit);

/// The singular values of a dense matrix that are more than rounding, descending, [k] float64 on the CPU.
at::Tensor dense_singular_values(const at::Tensor& delta);

/// Singular values from a Gram matrix, at most this share of the greatest, are rounding: its eigenvalues are known to
/// some 1e-15 of the greatest, their roots to the root of that.
inline constexpr double kGramRoundingShare = 0x1p-20;

}  // namespace atelier::diffusion
