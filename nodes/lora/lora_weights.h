// lora: how much each LoRA counts, as params of fuse, combine and sample say it.
#pragma once
#include <string>
#include <vector>

#include "graph/node.h"
#include "types/model.h"

namespace atelier {

// The param `weights`: a list of numbers, one for each source of the port `loras`; absent: 1 each.
ParamSpec weights_param();

// Empty where the list is absent or as long as the port's; otherwise the sentence.
std::string check_weights(const Params& params, const std::map<std::string, std::size_t>& list_sizes);

// The LoRAs of the port `loras` with their weights; tells of weights outside 0 to 1. Errors: those of lora_of().
Expected<std::vector<FusedLora>> weighted_loras(const Job& job);

// The same to be added to a model; tells of LoRAs made for another base too. Errors: besides, a model that takes no
// more since its LoRAs are merged by another method than the sum.
Expected<std::vector<FusedLora>> weighted_loras(const Job& job, const Model& base);

}  // namespace atelier
