#include "diffusion/lora_svd.h"

#include <fmt/format.h>

#include <cmath>

namespace atelier::diffusion {
namespace {

/// dW = q_up core q_down^T: the singular values of dW are those of the core, whose sides are at most the rank.
struct Core {
  at::Tensor q_up;    // [out, min(out, r)]
  at::Tensor core;    // [min(out, r), min(in * kh * kw, r)]
  at::Tensor q_down;  // [in * kh * kw, min(in * kh * kw, r)]
};

Core core_of(const LoraLayer& layer) {
  const auto [q_up, r_up] = at::linalg_qr(layer.b.flatten(1).to(at::kDouble), "reduced");
  const auto [q_down, r_down] = at::linalg_qr(layer.a.flatten(1).to(at::kDouble).t(), "reduced");
  return {.q_up = q_up, .core = at::mm(r_up, r_down.t()) * layer.scale(), .q_down = q_down};
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
  const auto finite = [](const at::Tensor& factor) { return factor.isfinite().all().item<bool>(); };
  if (std::isfinite(layer.alpha) && finite(layer.a) && finite(layer.b)) return {};
  return fail(fmt::format("LoRA layer '{}': its factors hold NaN or infinite numbers", name));
}

}  // namespace atelier::diffusion
