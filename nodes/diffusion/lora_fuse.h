// Fusion: W' = W + sum_i w_i dW_i.
#pragma once

#include <span>

#include "diffusion/lora_algebra.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {

/// Which model of a pipeline the weights are of; it says which layers of the LoRAs are meant.
enum class LoraPart { unet, text_encoder };

/// `base` with the LoRAs added: accumulated in float32, cast once to each weight's own dtype. Weights that no LoRA
/// touches are shared with `base`, which stays as it is. An Error names the layer that the base does not have, or whose
/// shape differs, with both shapes.
Result<WeightMap> fuse(const WeightMap& base, LoraPart part, std::span<const WeightedLora> loras);

}  // namespace atelier::diffusion
