#include "diffusion/lora_reduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diffusion/layer_tasks.h"
#include "diffusion/lora_algebra.h"
#include "diffusion/lora_svd.h"

namespace atelier::diffusion {
namespace {

/// tails[k] is the sum of the squares that are gone when k values stay. Summed from the least, so that small tails keep
/// their digits beside great heads.
at::Tensor squared_tails(const at::Tensor& s) {
  const at::Tensor sums = s.square().flip(0).cumsum(0).flip(0);  // [k]
  return at::cat({sums, at::zeros({1}, sums.options())});
}

int64_t fewest_with_tail(const at::Tensor& s, double share) {
  const at::Tensor tails = squared_tails(s);
  return tails.gt(tails[0] * share).sum().item<int64_t>();
}

/// What became of one layer; squares of Frobenius norms.
struct ReducedLayer {
  std::optional<LoraLayer> layer;  // empty where dW is zero
  double squared_norm = 0;
  double squared_error = 0;
  bool is_reduced = false;
};

ReducedLayer reduce_layer(const LoraLayer& layer, const RankLimit& limit) {
  const bool by_rank_alone = !limit.energy && !limit.error;
  if (by_rank_alone && layer.rank() <= *limit.rank) {
    const double whole = norm(layer);
    if (whole == 0) return {};
    return {.layer = layer, .squared_norm = whole * whole};
  }
  const LoraSvd svd = leading_svd(layer, [&](const at::Tensor& values) { return kept_rank(values.cpu(), limit); });
  const at::Tensor s = svd.s.cpu();
  const int64_t kept = svd.u.size(1);
  if (kept == 0) return {};
  const at::Tensor tails = squared_tails(s);
  ReducedLayer reduced{.layer = layer, .squared_norm = tails[0].item<double>()};
  if (kept < layer.rank()) {
    reduced.layer = layer_of(svd, kept, layer.delta_shape());
    reduced.squared_error = tails[kept].item<double>();
    reduced.is_reduced = true;
  }
  return reduced;
}

}  // namespace

double ratio_of_squares(double part, double whole) { return whole > 0 ? std::sqrt(part / whole) : 0.0; }

Result<void> check(const RankLimit& limit) {
  if (!limit.rank && !limit.energy && !limit.error) return fail("a reduction needs a rank, an energy or an error");
  if (limit.energy && limit.error) return fail("a reduction takes an energy or an error, not both");
  if (limit.rank && *limit.rank < 1) return fail(fmt::format("rank {} is out of range: give at least 1", *limit.rank));
  if (limit.energy && !(*limit.energy > 0 && *limit.energy <= 1))
    return fail(fmt::format("energy {} is out of range: give more than 0 and at most 1", *limit.energy));
  if (limit.error && !(*limit.error >= 0 && *limit.error < 1))
    return fail(fmt::format("error {} is out of range: give at least 0 and less than 1", *limit.error));
  return {};
}

int64_t kept_rank(const at::Tensor& singular_values, const RankLimit& limit) {
  return kept_rank(singular_values, limit, numerical_rank(singular_values));
}

int64_t kept_rank(const at::Tensor& singular_values, const RankLimit& limit, int64_t trusted) {
  int64_t kept = std::min(trusted, limit.rank.value_or(trusted));
  if (limit.energy) kept = std::min(kept, fewest_with_tail(singular_values, 1 - *limit.energy));
  if (limit.error) kept = std::min(kept, fewest_with_tail(singular_values, *limit.error * *limit.error));
  return kept;
}

Result<LoraReduction> reduce(const Lora& lora, const RankLimit& limit) {
  if (auto valid = check(limit); !valid) return tl::unexpected(valid.error());
  LoraReduction result;
  result.lora.base = lora.base;
  double squared_norm = 0, squared_error = 0;
  auto layers = for_each_layer(lora.layers, [&](const auto& item) -> Result<ReducedLayer> {
    if (auto finite = check_finite(item.first, item.second); !finite) return tl::unexpected(finite.error());
    return reduce_layer(item.second, limit);
  });
  if (!layers) return tl::unexpected(layers.error());
  auto reduced_at = layers->begin();
  for (const auto& [name, layer] : lora.layers) {
    ReducedLayer& reduced = *reduced_at++;
    squared_norm += reduced.squared_norm;
    squared_error += reduced.squared_error;
    if (reduced.is_reduced)
      result.layer_relative_error[name] = ratio_of_squares(reduced.squared_error, reduced.squared_norm);
    if (reduced.layer)
      result.lora.layers[name] = *std::move(reduced.layer);
    else
      result.dropped.push_back(name);
  }
  result.relative_error = ratio_of_squares(squared_error, squared_norm);
  return result;
}

}  // namespace atelier::diffusion
