// Merging beyond the sum, on dense updates, one layer at a time: TIES (Yadav et al. 2023, arXiv:2306.01708) and DARE
// (Yu et al. 2024, arXiv:2311.03099), as peft's ties_svd and dare_linear_svd compute them.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "diffusion/lora_algebra.h"
#include "diffusion/lora_reduce.h"

namespace atelier::diffusion {

/// Of each update the `density` greatest elements stay, each element's sign is that of the sum of what stayed, and the
/// result is the weighted mean of the elements that have it. The paper trims over all layers at once; here, as in peft,
/// each layer for itself.
struct Ties {
  double density = 0.2;  ///< in (0, 1]
};

/// Fills `values` with independent uniform numbers in [0, 1) for a layer of the `lora`-th LoRA. The library draws
/// nothing itself: the caller keys the stream.
using DropSource = std::function<void(std::string_view layer, size_t lora, std::span<float> values)>;

/// Of each update every element stays with probability `density`, divided by it, and the result is the weighted sum.
struct Dare {
  double density = 0.5;  ///< in (0, 1]
  DropSource uniform;
};

using MergeMethod = std::variant<Ties, Dare>;

/// An Error where the method's density is out of its range.
Result<void> check(const MergeMethod& method);

/// What one LoRA says of a layer.
struct MergeVoice {
  at::Tensor delta;  ///< float32, the same shape for all
  double weight;     ///< not 0
  size_t lora;       ///< its place in the list
};

/// The merged dW of the layer of that name, float32. `method` must be valid, `voices` not empty.
at::Tensor merged(const std::string& layer, std::span<const MergeVoice> voices, const MergeMethod& method);

/// The LoRAs merged and brought back to factors at the rank that the limit gives each layer, with what that costs. A
/// LoRA that does not have a layer, or counts 0 in it, has no voice there; layers that come out as zero are dropped.
/// Errors: a limit, a density or a weight out of its range; layers whose shapes differ; factors that hold NaN or
/// infinite numbers.
Result<LoraReduction> merge(std::span<const WeightedLora> loras, const MergeMethod& method, const RankLimit& limit);

}  // namespace atelier::diffusion
