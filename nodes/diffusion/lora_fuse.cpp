#include "diffusion/lora_fuse.h"

#include <fmt/format.h>

#include <optional>

namespace atelier::diffusion {
namespace {

/// The name of the weight in the model of `part`; empty for a layer of another model.
std::optional<std::string> weight_name(const std::string& layer, LoraPart part) {
  const bool is_text = layer.starts_with(kTextEncoderPrefix);
  if (is_text != (part == LoraPart::text_encoder)) return std::nullopt;
  return (is_text ? layer.substr(kTextEncoderPrefix.size()) : layer) + ".weight";
}

}  // namespace

Result<WeightMap> fuse(const WeightMap& base, LoraPart part, std::span<const WeightedLora> loras) {
  WeightMap sums;  // float32, one per weight that changes
  for (const WeightedLora& weighted : loras) {
    for (const auto& [layer_name, layer] : weighted.lora->layers) {
      const auto name = weight_name(layer_name, part);
      if (!name) continue;
      const auto weight = base.find(*name);
      if (weight == base.end())
        return fail(fmt::format("LoRA layer '{}': the base model has no such layer", layer_name));
      const at::Tensor delta = layer.delta();
      if (delta.sizes() != weight->second.sizes())
        return fail(fmt::format("LoRA layer '{}': changes a weight of shape {}, the base model's is {}", layer_name,
                                shape_text(delta.sizes()), shape_text(weight->second.sizes())));
      auto [sum, is_new] = sums.try_emplace(*name);
      if (is_new) sum->second = weight->second.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
      sum->second.add_(delta, weighted.weight);
    }
  }
  WeightMap fused = base;
  for (auto& [name, sum] : sums) fused[name] = sum.to(base.at(name).scalar_type());
  return fused;
}

}  // namespace atelier::diffusion
