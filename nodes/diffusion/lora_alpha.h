// What a LoRA file of diffusers or peft says of alpha, which these tools keep beside the weights.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diffusion/lora.h"

namespace atelier::diffusion {

/// peft's rule for the alpha of the layers of one model.
struct AlphaRule {
  std::optional<double> alpha{};                           ///< empty: the rank
  std::vector<std::pair<std::string, double>> patterns{};  ///< ends of paths, regular expressions
  bool by_root = false;  ///< use_rslora: the scale is alpha / sqrt(r) (Kalajdzievski 2023)

  /// alpha of the layer such that its scale is alpha / rank.
  double of(std::string_view path, int64_t rank) const;
};

/// The rule in a peft configuration; `prefix` is "unet." and the like in diffusers' `lora_adapter_metadata`, "" in an
/// adapter_config.json.
AlphaRule alpha_rule(const nlohmann::json& config, const std::string& prefix);

}  // namespace atelier::diffusion
