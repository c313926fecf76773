#include "diffusion/lora_subspace.h"

#include <optional>

#include "diffusion/layer_tasks.h"
#include "diffusion/lora_svd.h"

namespace atelier::diffusion {
namespace {

/// Of a difference to the rounding of float32 factors, some last places remain.
constexpr double kNothingLeft = 0x1p-21;

/// x without what of it lies in the space of the orthonormal columns of `basis`; twice, since the first time leaves
/// rounding of x's own size in the space (Parlett: twice is enough).
at::Tensor without(at::Tensor x, const at::Tensor& basis) {
  for (int i = 0; i < 2; ++i) x = x - at::mm(basis, at::mm(basis.t(), x));
  return x;
}

/// float64; `background` has a rank.
LoraLayer remove_from(const LoraLayer& layer, const LoraSvd& background, int64_t rank, RemovedSides sides) {
  LoraLayer left = layer;
  left.b = without(layer.b.flatten(1).to(at::kDouble), background.u.slice(1, 0, rank));
  if (sides == RemovedSides::both) {
    const at::Tensor down = layer.a.flatten(1).to(at::kDouble).t();  // [in * kh * kw, r]
    left.a = without(down, background.v.slice(1, 0, rank)).t().reshape(layer.a.sizes());
  }
  return left;
}

LoraLayer in_float(LoraLayer layer) {
  layer.a = layer.a.to(at::kFloat).contiguous();
  layer.b = layer.b.to(at::kFloat).contiguous();
  return layer;
}

/// What the background leaves of a layer; nothing where that is rounding.
Result<std::optional<LoraLayer>> left_of(const std::string& name, const LoraLayer& layer, const Lora& background,
                                         RemovedSides sides) {
  if (auto finite = check_finite(name, layer); !finite) return tl::unexpected(finite.error());
  const auto other = background.layers.find(name);
  if (other == background.layers.end()) return layer;
  if (auto finite = check_finite(name, other->second); !finite) return tl::unexpected(finite.error());
  if (auto same = check_same_weight(name, layer, other->second); !same) return tl::unexpected(same.error());
  const LoraSvd svd = svd_of(other->second);
  const int64_t rank = numerical_rank(svd.s);
  if (rank == 0) return norm(layer) == 0 ? std::nullopt : std::optional(layer);
  const LoraLayer left = remove_from(layer, svd, rank, sides);
  if (norm(left) <= kNothingLeft * norm(layer)) return std::nullopt;
  return in_float(left);
}

}  // namespace

Result<LoraDifference> remove_subspace(const Lora& lora, const Lora& background, RemovedSides sides) {
  LoraDifference result;
  result.lora.base = lora.base ? lora.base : background.base;
  auto left = for_each_layer(lora.layers,
                             [&](const auto& item) { return left_of(item.first, item.second, background, sides); });
  if (!left) return tl::unexpected(left.error());
  auto at = left->begin();
  for (const auto& [name, layer] : lora.layers) {
    std::optional<LoraLayer>& of_layer = *at++;
    if (of_layer)
      result.lora.layers[name] = *std::move(of_layer);
    else
      result.dropped.push_back(name);
  }
  return result;
}

}  // namespace atelier::diffusion
