// Sums and differences of LoRAs, all on dW = alpha / r * B A and never element by element on A and B:
// stacking ranks, B = [w1 s1 B1, w2 s2 B2], A = [A1; A2], is exact to rounding, for unequal ranks and alphas too.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "diffusion/lora.h"
#include "diffusion/lora_blocks.h"

namespace atelier::diffusion {

/// A LoRA and what it counts in a sum.
struct WeightedLora {
  const Lora* lora;  ///< not owned, never null
  double weight;
  BlockWeights blocks{};  ///< what each layer counts besides
};

struct LoraDifference {
  Lora lora;
  std::vector<std::string> dropped;  ///< layers whose dW came out as exactly zero, sorted
};

/// minuend - subtrahend. Where the two have bit-equal A, the result keeps A and subtracts B, so the rank does not
/// double; elsewhere the ranks are stacked with alpha = new rank. A layer that only one has is taken as zero in the
/// other. An Error names the layer whose shapes differ.
Result<LoraDifference> subtract(const Lora& minuend, const Lora& subtrahend);

/// sum_i weight_i * lora_i, each layer times the weight of its block, by stacking ranks; alpha of a layer is its new
/// rank. An Error names the layer whose shapes differ, or the weight that is no finite number.
Result<Lora> weighted_sum(std::span<const WeightedLora> terms);

/// An Error where two LoRAs' layers of that name change weights of different shapes.
Result<void> check_same_weight(const std::string& name, const LoraLayer& first, const LoraLayer& second);
/// An Error naming the LoRA, counted from 1, whose weight is no finite number. `place` counts from 0.
Result<void> check_weight(std::size_t place, double weight);
/// The same for all of the terms, WeightedLora or the like.
template <class Term>
Result<void> check_weights(std::span<const Term> terms) {
  for (std::size_t i = 0; i < terms.size(); ++i)
    if (auto valid = check_weight(i, terms[i].weight); !valid) return valid;
  return {};
}

/// ||dW|| over all layers, Frobenius, from the small Gram matrices of the factors, float64.
double norm(const Lora& lora);
double norm(const LoraLayer& layer);

}  // namespace atelier::diffusion
