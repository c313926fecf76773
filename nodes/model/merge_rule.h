// model: the merge of a model's LoRAs that is no weighted sum, between its rule and the diffusion library.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "diffusion/lora_merge.h"
#include "types/model.h"

namespace atelier {

inline constexpr std::string_view kTies = "ties";
inline constexpr std::string_view kDare = "dare";

// The method that the rule names, with the draws that it needs; nothing for a name that is not known.
std::optional<diffusion::MergeMethod> merge_method_of(const MergeRule& rule);

// What DARE drops, uniform in [0, 1): it depends on the seed, the layer's name and the LoRA's place, and on nothing
// else, so that a fusion and a combination of the same LoRAs drop the same.
diffusion::DropSource drop_source(std::int64_t seed);

// The weights of blocks that a text gives; an empty one gives 1 to each. Errors: those of BlockWeights::parse().
Expected<diffusion::BlockWeights> block_weights_of(const std::string& text);

// What the blocks of each of the model's LoRAs count besides its weight: of a merge what its rule says, of a sum 1,
// since there the factors hold it. Errors: those of block_weights_of().
Expected<std::vector<diffusion::BlockWeights>> blocks_of_loras(const Model& model);

}  // namespace atelier
