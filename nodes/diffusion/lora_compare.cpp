#include "diffusion/lora_compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "diffusion/layer_tasks.h"
#include "diffusion/lora_algebra.h"
#include "diffusion/lora_svd.h"

namespace atelier::diffusion {
namespace {

double relative_to(double difference, double norm) {
  if (norm > 0) return difference / norm;
  return difference > 0 ? std::numeric_limits<double>::infinity() : 0;
}

/// dWa - dWb as one layer in float64. Equal A are kept once, so that equal layers leave an exact zero.
LoraLayer exact_difference(const LoraLayer& first, const LoraLayer& second) {
  const at::Tensor up_a = first.b.flatten(1).to(at::kDouble) * first.scale();
  const at::Tensor up_b = second.b.flatten(1).to(at::kDouble) * second.scale();
  const at::Tensor down_a = first.a.flatten(1).to(at::kDouble), down_b = second.a.flatten(1).to(at::kDouble);
  const bool same_down = down_a.sizes() == down_b.sizes() && at::equal(down_a, down_b);
  LoraLayer difference = same_down ? LoraLayer{.a = down_a, .b = up_a - up_b}
                                   : LoraLayer{.a = at::cat({down_a, down_b}), .b = at::cat({up_a, -up_b}, 1)};
  difference.alpha = static_cast<double>(difference.rank());
  return difference;
}

/// The numerical column and row space of dW, orthonormal.
struct Spaces {
  at::Tensor columns, rows;
};

Spaces spaces_of(const LoraSvd& svd) {
  const int64_t rank = numerical_rank(svd.s);
  return {.columns = svd.u.slice(1, 0, rank), .rows = svd.v.slice(1, 0, rank)};
}

LayerComparison compare_layer(const LoraLayer& first, const LoraLayer& second) {
  const LoraSvd svd_a = svd_of(first), svd_b = svd_of(second);
  const Spaces a = spaces_of(svd_a), b = spaces_of(svd_b);
  LayerComparison comparison{.difference = singular_values(exact_difference(first, second)).norm().item<double>(),
                             .first_norm = svd_a.s.norm().item<double>(),
                             .second_norm = svd_b.s.norm().item<double>()};
  comparison.relative = relative_to(comparison.difference, comparison.second_norm);
  comparison.column_angles = principal_angles(a.columns, b.columns);
  comparison.row_angles = principal_angles(a.rows, b.rows);
  return comparison;
}

Result<bool> finite_layer(const std::pair<const std::string, LoraLayer>& item) {
  return check_finite(item.first, item.second).map([] { return true; });
}

}  // namespace

std::vector<double> principal_angles(const at::Tensor& first, const at::Tensor& second) {
  if (first.size(1) < second.size(1)) return principal_angles(second, first);
  const int64_t count = second.size(1);
  if (count == 0) return {};
  const at::Tensor inner = at::mm(first.t(), second);  // [p, q]
  const at::Tensor cosines = at::linalg_svdvals(inner).cpu();
  // What `first` leaves of `second`; its singular values are the sines, the greatest angle first.
  const at::Tensor sines = at::linalg_svdvals(second - at::mm(first, inner)).flip(0).cpu();
  std::vector<double> angles;
  for (int64_t i = 0; i < count; ++i) {
    const double cosine = std::min(cosines[i].item<double>(), 1.0), sine = std::min(sines[i].item<double>(), 1.0);
    angles.push_back(cosine * cosine < 0.5 ? std::acos(cosine) : std::asin(sine));
  }
  return angles;
}

Result<LoraComparison> compare(const Lora& first, const Lora& second) {
  LoraComparison result;
  double squared_difference = 0, squared_second = 0;
  for (const auto* lora : {&first, &second})
    if (auto finite = for_each_layer(lora->layers, finite_layer); !finite) return tl::unexpected(finite.error());
  auto compared = for_each_layer(first.layers, [&](const auto& item) -> Result<LayerComparison> {
    const auto other = second.layers.find(item.first);
    if (other == second.layers.end()) return LayerComparison{.first_norm = norm(item.second)};
    if (auto same = check_same_weight(item.first, item.second, other->second); !same)
      return tl::unexpected(same.error());
    return compare_layer(item.second, other->second);
  });
  if (!compared) return tl::unexpected(compared.error());
  auto of_layer = compared->begin();
  for (const auto& [name, layer] : first.layers) {
    LayerComparison& comparison = *of_layer++;
    if (!second.layers.contains(name)) {
      result.first_only.push_back(name);
      squared_difference += std::pow(comparison.first_norm, 2);
      continue;
    }
    squared_difference += std::pow(comparison.difference, 2);
    squared_second += std::pow(comparison.second_norm, 2);
    result.layers.emplace(name, std::move(comparison));
  }
  for (const auto& [name, layer] : second.layers) {
    if (first.layers.contains(name)) continue;
    result.second_only.push_back(name);
    const double squared = std::pow(norm(layer), 2);
    squared_difference += squared;
    squared_second += squared;
  }
  result.relative = relative_to(std::sqrt(squared_difference), std::sqrt(squared_second));
  return result;
}

}  // namespace atelier::diffusion
