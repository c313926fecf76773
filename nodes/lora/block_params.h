// lora: what the blocks of each LoRA count, as the param `blocks` of fuse and combine says it.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "diffusion/lora_blocks.h"
#include "graph/params.h"

namespace atelier {

// The param: a list of texts as BlockWeights::parse() takes them, one for all LoRAs or one for each.
ParamSpec blocks_param();

// What is wrong with the lists: how many they are, and each that cannot be read.
std::vector<std::string> check_blocks(const Params& params, const std::map<std::string, std::size_t>& list_sizes);

// The text for each of so many LoRAs, "" where every block counts 1; none where the param is absent.
std::vector<std::string> block_texts(const Params& params, std::size_t loras);

// The weights for each of the LoRAs, 1 where the param is absent. Errors: an entry that means no layer of its LoRA,
// with the LoRA's place.
Expected<std::vector<diffusion::BlockWeights>> block_weights(const Params& params,
                                                             std::span<const diffusion::Lora> loras);

}  // namespace atelier
