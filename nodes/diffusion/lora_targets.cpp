#include "diffusion/lora_targets.h"

#include <algorithm>
#include <array>

#include "diffusion/name_patterns.h"

namespace atelier::diffusion {
namespace {

/// A convolution that looks beyond its pixel.
bool is_wide_convolution(const LoraTarget& target) {
  return target.weight_shape.size() == 4 && (target.weight_shape[2] > 1 || target.weight_shape[3] > 1);
}

bool is_convolutional_part(std::string_view name) {
  static constexpr std::array<std::string_view, 3> parts = {".resnets.", ".downsamplers.", ".upsamplers."};
  return std::ranges::any_of(parts, [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

bool is_default_target(const LoraTarget& target, const LoraShape& shape) {
  if (part_of(target.name) != LoraPart::unet || is_lora_target(target.name)) return true;
  return shape.conv_rank > 0 && is_convolutional_part(target.name);
}

}  // namespace

Result<std::vector<LoraTarget>> select_lora_targets(std::span<const LoraTarget> layers, const LoraShape& shape,
                                                    std::span<const std::string> patterns) {
  const auto meant = NamePatterns::create(patterns);
  if (!meant) return tl::unexpected(meant.error());
  std::vector<std::string> names;
  for (const LoraTarget& layer : layers) names.push_back(layer.name);
  if (auto used = meant->check_all_used(names); !used) return tl::unexpected(used.error());
  std::vector<LoraTarget> targets;
  std::ranges::copy_if(layers, std::back_inserter(targets), [&](const LoraTarget& layer) {
    return patterns.empty() ? is_default_target(layer, shape) : meant->match(layer.name);
  });
  return targets;
}

Lora initial_lora(std::span<const LoraTarget> targets, const LoraShape& shape, const UniformSource& uniform) {
  Lora lora;
  for (const LoraTarget& target : targets) {
    const bool wide = shape.conv_rank > 0 && is_wide_convolution(target);
    lora.layers.merge(
        initial_lora({&target, 1}, wide ? shape.conv_rank : shape.rank, wide ? shape.conv_alpha : shape.alpha, uniform)
            .layers);
  }
  return lora;
}

}  // namespace atelier::diffusion
