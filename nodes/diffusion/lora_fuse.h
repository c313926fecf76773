// Fusion: W' = W + sum_i w_i dW_i, with w_i the LoRA's weight times that of the layer's block; or W + what a merging
// method makes of the dW_i.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "diffusion/lora_algebra.h"
#include "diffusion/lora_merge.h"
#include "diffusion/lora_updates.h"
#include "diffusion/safetensors.h"
#include "diffusion/weight_changes.h"

namespace atelier::diffusion {

/// Where a layer's weight stands in the weights of its part; the end where it does not. Text encoders' weights may be
/// named with `text_model.` before them or without.
WeightMap::const_iterator find_weight(const WeightMap& weights, const std::string& layer);

/// The layers of a LoRA that change that part of a model; nothing for the VAE, of which LoRAs have none.
std::optional<LoraPart> lora_part_of(ModelPart part);

/// What a file does to a base, of whatever kind its adapters are, and how much it counts.
struct WeightedUpdates {
  const LoraUpdates* updates;  ///< not owned, never null; the changes below do not need it any more
  double weight;
  BlockWeights blocks{};  ///< what each layer counts besides
};

struct FuseOptions {
  std::optional<MergeMethod> method{};    ///< absent: the sum
  std::optional<at::ScalarType> dtype{};  ///< what the sums are cast to; absent: each to its weight's own
};

/// The changes that fusing makes to the weights `base` of one part, of which only names and shapes are looked at: the
/// sum is accumulated in float32 and cast once, when the weight is asked for. Weights that no LoRA changes, a weight of
/// 0 included, are not among them. DoRA and the full matrices of LoHa and LoKr are added as they are. Errors: the layer
/// that the base does not have, or whose shape differs, with both shapes; a weight that is no finite number; a density
/// out of its range.
Result<WeightChanges> fusion(const WeightMap& base, LoraPart part, std::span<const WeightedUpdates> loras,
                             const FuseOptions& options = {});

/// The weights `base` of one part with that part's layers of the LoRAs added, by fusion(): those that no LoRA changes
/// are shared with `base`, which stays as it is.
Result<WeightMap> fuse(const WeightMap& base, LoraPart part, std::span<const WeightedLora> loras,
                       const FuseOptions& options = {});

/// The weights with the changes made, on all of libtorch's threads. Errors: those of the changes; a change of a weight
/// that is not there; one whose numbers are not finite.
Result<WeightMap> with_changes(const WeightMap& weights, const WeightChanges& changes);

}  // namespace atelier::diffusion
