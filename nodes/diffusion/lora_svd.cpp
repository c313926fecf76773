#include "diffusion/lora_svd.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "diffusion/finite.h"

namespace atelier::diffusion {
namespace {

/// dW = q_up core q_down^T: the singular values of dW are those of the core, whose sides are at most the rank.
struct Core {
  at::Tensor q_up;    // [out, min(out, r)]
  at::Tensor core;    // [min(out, r), min(in * kh * kw, r)]
  at::Tensor q_down;  // [in * kh * kw, min(in * kh * kw, r)]
};

/// x = q r, q with orthonormal columns, r upper triangular.
struct OrthogonalForm {
  at::Tensor q, r;
};

/// Beyond this condition the Cholesky factor of a Gram matrix in float64 has too few right digits for a second pass to
/// mend.
constexpr double kLeastDiagonal = 1e-7;

/// One pass of CholeskyQR; nothing where the columns are too near to one another.
std::optional<OrthogonalForm> cholesky_pass(const at::Tensor& x) {
  const auto [r, info] = at::linalg_cholesky_ex(at::mm(x.t(), x), /*upper=*/true);
  if (info.item<int>() != 0) return std::nullopt;
  const at::Tensor diagonal = r.diagonal();
  if (!(diagonal.min().item<double>() > kLeastDiagonal * diagonal.max().item<double>())) return std::nullopt;
  return OrthogonalForm{at::linalg_solve_triangular(r, x, /*upper=*/true, /*left=*/false), r};
}

/// CholeskyQR2 (Yamamoto, Nakatsukasa, Yanagisawa & Fukaya 2015): as accurate as Householder's QR where it applies, and
/// nearly all of it is matrix products, which tall and thin factors want. Householder's elsewhere.
OrthogonalForm orthogonal_form(const at::Tensor& x) {
  if (x.size(0) >= x.size(1))
    if (const auto first = cholesky_pass(x))
      if (const auto second = cholesky_pass(first->q)) return {second->q, at::mm(second->r, first->r)};
  const auto [q, r] = at::linalg_qr(x, "reduced");
  return {q, r};
}

Core core_of(const LoraLayer& layer) {
  const OrthogonalForm up = orthogonal_form(layer.b.flatten(1).to(at::kDouble));
  const OrthogonalForm down = orthogonal_form(layer.a.flatten(1).to(at::kDouble).t());
  return {.q_up = up.q, .core = at::mm(up.r, down.r.t()) * layer.scale(), .q_down = down.q};
}

}  // namespace

LoraSvd svd_of(const LoraLayer& layer) {
  if (layer.rank() == 0) {
    const auto options = layer.b.options().dtype(at::kDouble);
    return {.u = at::zeros({layer.b.size(0), 0}, options),
            .s = at::zeros({0}, options),
            .v = at::zeros({layer.a.flatten(1).size(1), 0}, options)};
  }
  const Core core = core_of(layer);
  const auto [u, s, vh] = at::linalg_svd(core.core, /*full_matrices=*/false);
  return {.u = at::mm(core.q_up, u), .s = s, .v = at::mm(core.q_down, vh.t())};
}

namespace {

/// x = q r of which only r and its inverse are made: q y is x (r^-1 y).
struct TriangularFactor {
  at::Tensor r, inverse;
};

/// Of the Gram matrix x^T x. The loss of orthogonality in q is the square of the condition times 1e-16 (Yamamoto et
/// al.), and the condition is at most the product of the norms here; nothing where that is too much.
std::optional<TriangularFactor> triangular_factor(const at::Tensor& gram) {
  constexpr double most_condition = 2e3;
  const auto [r, info] = at::linalg_cholesky_ex(gram, /*upper=*/true);
  if (info.item<int>() != 0) return std::nullopt;
  const at::Tensor inverse = at::linalg_solve_triangular(r, at::eye(r.size(0), r.options()), /*upper=*/true);
  if (!(r.norm().item<double>() * inverse.norm().item<double>() < most_condition)) return std::nullopt;
  return TriangularFactor{r, inverse};
}

}  // namespace

LoraSvd leading_svd(const LoraLayer& layer, const std::function<int64_t(const at::Tensor& s)>& kept) {
  const at::Tensor up = layer.b.flatten(1).to(at::kDouble), down = layer.a.flatten(1).to(at::kDouble);
  std::optional<TriangularFactor> of_up, of_down;
  if (layer.rank() > 0) of_up = triangular_factor(at::mm(up.t(), up));
  if (of_up) of_down = triangular_factor(at::mm(down, down.t()));
  if (!of_down) {
    LoraSvd all = svd_of(layer);
    const int64_t count = kept(all.s);
    return {.u = all.u.slice(1, 0, count), .s = all.s, .v = all.v.slice(1, 0, count)};
  }
  const auto [u, s, vh] = at::linalg_svd(at::mm(of_up->r, of_down->r.t()) * layer.scale(), /*full_matrices=*/false);
  const int64_t count = kept(s);
  return {.u = at::mm(up, at::mm(of_up->inverse, u.slice(1, 0, count))),
          .s = s,
          .v = at::mm(down.t(), at::mm(of_down->inverse, vh.slice(0, 0, count).t()))};
}

at::Tensor singular_values(const LoraLayer& layer) {
  if (layer.rank() == 0) return at::zeros({0}, at::kDouble);
  return at::linalg_svdvals(core_of(layer).core).cpu();
}

int64_t numerical_rank(const at::Tensor& s, double rounding_share) {
  if (s.numel() == 0) return 0;
  return s.gt(s[0] * rounding_share).sum().item<int64_t>();
}

LoraLayer layer_of(const LoraSvd& svd, int64_t rank, at::IntArrayRef weight_shape) {
  const at::Tensor root = svd.s.slice(0, 0, rank).sqrt();
  std::vector<int64_t> shape = weight_shape.vec();
  shape[0] = rank;
  return {.a = (svd.v.slice(1, 0, rank) * root).t().to(at::kFloat).reshape(shape).contiguous(),
          .b = (svd.u.slice(1, 0, rank) * root).to(at::kFloat).contiguous(),
          .alpha = static_cast<double>(rank)};
}

Result<void> check_finite(const std::string& name, const LoraLayer& layer) {
  if (std::isfinite(layer.alpha) && is_finite(layer.a) && is_finite(layer.b)) return {};
  return fail(fmt::format("LoRA layer '{}': its factors hold NaN or infinite numbers", name));
}

}  // namespace atelier::diffusion
