// Fusion: W' = W + sum_i w_i dW_i, with w_i the LoRA's weight times that of the layer's block.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "diffusion/lora_algebra.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {

/// Where a layer's weight stands in the weights of its part; the end where it does not. Text encoders' weights may be
/// named with `text_model.` before them or without.
WeightMap::const_iterator find_weight(const WeightMap& weights, const std::string& layer);

/// The weight that the layer of that name adds to. An Error where the base does not have it, or has another shape.
Result<WeightMap::const_iterator> weight_for(const WeightMap& base, const std::string& name, const LoraLayer& layer);

/// The weights `base` of one part with that part's layers of the LoRAs added: accumulated in float32, cast once to each
/// weight's own dtype. Weights that no LoRA changes, a weight of 0 included, are shared with `base`, which stays as it
/// is. Text encoders' weights may be named with `text_model.` before them or without. An Error names the layer that the
/// base does not have, or whose shape differs, with both shapes. `dtype`, where given, is what the sums are cast to
/// instead.
Result<WeightMap> fuse(const WeightMap& base, LoraPart part, std::span<const WeightedLora> loras,
                       std::optional<at::ScalarType> dtype = std::nullopt);

}  // namespace atelier::diffusion
