#include "diffusion/lora_fuse.h"

#include <fmt/format.h>

namespace atelier::diffusion {
namespace {

constexpr std::string_view kTextModel = "text_model.";

}  // namespace

// Transformers 5 saves text encoders without `text_model.`.
WeightMap::const_iterator find_weight(const WeightMap& weights, const std::string& layer) {
  const std::string name = std::string(path_in_part(layer)) + ".weight";
  const auto found = weights.find(name);
  if (found != weights.end() || part_of(layer) == LoraPart::unet || !name.starts_with(kTextModel)) return found;
  return weights.find(name.substr(kTextModel.size()));
}

Result<WeightMap::const_iterator> weight_for(const WeightMap& base, const std::string& name, const LoraLayer& layer) {
  const auto weight = find_weight(base, name);
  if (weight == base.end()) return fail(fmt::format("LoRA layer '{}': the base model has no such layer", name));
  if (!fits(layer, weight->second.sizes()))
    return fail(fmt::format("LoRA layer '{}': changes a weight of shape {}, the base model's is {}", name,
                            shape_text(layer.delta_shape()), shape_text(weight->second.sizes())));
  return weight;
}

Result<WeightMap> fuse(const WeightMap& base, LoraPart part, std::span<const WeightedLora> loras,
                       std::optional<at::ScalarType> dtype) {
  WeightMap sums;  // float32, one per weight that changes
  for (const WeightedLora& weighted : loras) {
    for (const auto& [layer_name, layer] : weighted.lora->layers) {
      if (part_of(layer_name) != part) continue;
      const auto found = weight_for(base, layer_name, layer);
      if (!found) return tl::unexpected(found.error());
      const auto weight = *found;
      const double factor = weighted.weight * weighted.blocks.of(layer_name);
      if (factor == 0) continue;
      auto [sum, is_new] = sums.try_emplace(weight->first);
      if (is_new) sum->second = weight->second.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
      sum->second.add_(layer.delta().view_as(sum->second), factor);
    }
  }
  WeightMap fused = base;
  for (auto& [name, sum] : sums) fused[name] = sum.to(dtype.value_or(base.at(name).scalar_type()));
  return fused;
}

}  // namespace atelier::diffusion
