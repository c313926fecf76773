// The singular value decomposition of dW = alpha / r * B A from its factors: QR of both, then an SVD of the small core,
// all in float64, never of the full matrix. A convolution's kernel counts as columns: dW is [out, in * kh * kw].
#pragma once

#include <functional>

#include "diffusion/lora.h"

namespace atelier::diffusion {

/// dW = u diag(s) v^T in float64; k is at most the rank and at most each side of dW. Rank 0 has k = 0.
struct LoraSvd {
  at::Tensor u;  ///< [out, k], orthonormal columns
  at::Tensor s;  ///< [k], descending, not negative
  at::Tensor v;  ///< [in * kh * kw, k], orthonormal columns
};

LoraSvd svd_of(const LoraLayer& layer);

/// All singular values, and of the vectors the first kept(s), for factors that will be float32: the vectors are
/// orthonormal to 1e-9. Where the factors' columns are not too near to one another that is a few products of theirs;
/// elsewhere svd_of().
LoraSvd leading_svd(const LoraLayer& layer, const std::function<int64_t(const at::Tensor& s)>& kept);

/// The singular values of dW alone, descending, [k] float64 on the CPU: the spectrum of a layer.
at::Tensor singular_values(const LoraLayer& layer);

/// Singular values at most this share of the greatest are what float32 factors round to, no direction of dW.
inline constexpr double kRoundingShare = 0x1p-24;
/// How many of the descending singular values `s` are more than rounding.
int64_t numerical_rank(const at::Tensor& s, double rounding_share = kRoundingShare);

/// The layer u diag(s) v^T of the first `rank` singular values in float32, with A of the shape [rank, …] that a weight
/// of `weight_shape` has. Each side gets the root of s, alpha is the rank.
LoraLayer layer_of(const LoraSvd& svd, int64_t rank, at::IntArrayRef weight_shape);

/// An Error naming the layer where its factors or its alpha hold a NaN or an infinity.
Result<void> check_finite(const std::string& name, const LoraLayer& layer);

}  // namespace atelier::diffusion
