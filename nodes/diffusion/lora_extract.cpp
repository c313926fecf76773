#include "diffusion/lora_extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "diffusion/layer_tasks.h"
#include "diffusion/lora_fuse.h"
#include "diffusion/lora_truncate.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

bool is_wide_convolution(const LoraTarget& target) {
  return target.weight_shape.size() == 4 && (target.weight_shape[2] > 1 || target.weight_shape[3] > 1);
}

/// tuned - base of a layer in float64, and the name of its weight in the base.
struct WeightDifference {
  std::string base_name;
  at::Tensor delta;
};

struct ExtractedLayer {
  std::string base_name;
  DenseReduction reduced;
};

Result<WeightDifference> difference_of(const WeightMap& tuned, const WeightMap& base, const LoraTarget& target) {
  const auto after = find_weight(tuned, target.name), before = find_weight(base, target.name);
  if (after == tuned.end()) return fail(fmt::format("LoRA layer '{}': the tuned model has no such layer", target.name));
  if (before == base.end()) return fail(fmt::format("LoRA layer '{}': the base model has no such layer", target.name));
  if (after->second.sizes() != before->second.sizes())
    return fail(fmt::format("LoRA layer '{}': the tuned model's weight has shape {}, the base model's {}", target.name,
                            shape_text(after->second.sizes()), shape_text(before->second.sizes())));
  at::Tensor delta = after->second.to(at::kDouble) - before->second.to(at::kDouble);
  if (!delta.isfinite().all().item<bool>())
    return fail(
        fmt::format("LoRA layer '{}': the difference of the two models holds NaN or infinite numbers", target.name));
  return WeightDifference{before->first, std::move(delta)};
}

/// What differs beside the layers; a weight that one model alone has, or in another shape, is no difference of
/// training.
std::map<std::string, double> left_out_of(const WeightMap& tuned, const WeightMap& base,
                                          const std::set<std::string>& extracted) {
  std::map<std::string, double> left_out;
  for (const auto& [name, weight] : base) {
    const auto after = tuned.find(name);
    if (extracted.contains(name) || after == tuned.end() || after->second.sizes() != weight.sizes()) continue;
    const double distance = (after->second.to(at::kDouble) - weight.to(at::kDouble)).norm().item<double>();
    if (distance != 0) left_out[name] = distance;
  }
  return left_out;
}

}  // namespace

Result<LoraExtraction> extract(const WeightMap& tuned, const WeightMap& base, LoraPart part,
                               std::span<const LoraTarget> targets, const ExtractionLimits& limits) {
  const RankLimit& wide_limit = limits.convolutions ? *limits.convolutions : limits.layers;
  for (const RankLimit* limit : {&limits.layers, &wide_limit})
    if (auto valid = check(*limit); !valid) return tl::unexpected(valid.error());
  LoraExtraction result;
  std::set<std::string> extracted;
  std::vector<LoraTarget> of_part;
  for (const LoraTarget& target : targets)
    if (part_of(target.name) == part) of_part.push_back(target);
  auto layers = for_each_layer(of_part, [&](const LoraTarget& target) -> Result<ExtractedLayer> {
    const auto difference = difference_of(tuned, base, target);
    if (!difference) return tl::unexpected(difference.error());
    return ExtractedLayer{difference->base_name,
                          reduce_dense(difference->delta, is_wide_convolution(target) ? wide_limit : limits.layers)};
  });
  if (!layers) return tl::unexpected(layers.error());
  auto at = layers->begin();
  for (const LoraTarget& target : of_part) {
    extracted.insert(at->base_name);
    DenseReduction& reduced = at++->reduced;
    if (!reduced.layer) {
      result.equal.push_back(target.name);
      continue;
    }
    result.squared_norm += reduced.squared_norm;
    result.squared_error += reduced.squared_error;
    result.layer_relative_error[target.name] = reduced.relative_error();
    result.lora.layers[target.name] = *std::move(reduced.layer);
  }
  std::ranges::sort(result.equal);
  result.relative_error = ratio_of_squares(result.squared_error, result.squared_norm);
  result.left_out = left_out_of(tuned, base, extracted);
  return result;
}

}  // namespace atelier::diffusion
