#include "diffusion/lora_truncate.h"

#include "diffusion/lora_svd.h"

namespace atelier::diffusion {
namespace {

/// The decomposition of a matrix that is no taller than wide: D D^T = U S^2 U^T, V = D^T U / S. [m, n], m <= n.
LoraSvd decompose_wide(const at::Tensor& wide) {
  const auto [squares, vectors] = at::linalg_eigh(at::mm(wide, wide.t()));  // ascending
  const at::Tensor s = squares.clamp_min(0).sqrt().flip(0), u = vectors.flip(1);
  const int64_t rank = numerical_rank(s, kGramRoundingShare);
  const at::Tensor kept = u.slice(1, 0, rank);
  return {.u = kept, .s = s, .v = at::mm(wide.t(), kept) / s.slice(0, 0, rank)};
}

}  // namespace

double DenseReduction::relative_error() const { return ratio_of_squares(squared_error, squared_norm); }

at::Tensor dense_singular_values(const at::Tensor& delta) {
  at::Tensor matrix = delta.flatten(1).to(at::kDouble);
  if (matrix.size(0) > matrix.size(1)) matrix = matrix.t();
  const at::Tensor s = at::linalg_eigvalsh(at::mm(matrix, matrix.t())).clamp_min(0).sqrt().flip(0).cpu();
  return s.slice(0, 0, numerical_rank(s, kGramRoundingShare));
}

DenseReduction reduce_dense(const at::Tensor& delta, const RankLimit& limit) {
  const at::Tensor matrix = delta.flatten(1).to(at::kDouble);
  const bool tall = matrix.size(0) > matrix.size(1);
  LoraSvd svd = decompose_wide(tall ? matrix.t() : matrix);
  if (tall) std::swap(svd.u, svd.v);
  const at::Tensor s = svd.s.cpu();
  const int64_t kept = kept_rank(s, limit, svd.u.size(1));
  DenseReduction reduced{.squared_norm = s.square().sum().item<double>()};
  if (kept == 0) return reduced;
  reduced.layer = layer_of(svd, kept, delta.sizes());
  reduced.squared_error = kept < svd.u.size(1) ? s.slice(0, kept).square().sum().item<double>() : 0;
  return reduced;
}

}  // namespace atelier::diffusion
