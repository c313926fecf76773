// lora: how several LoRAs become one update, as the params of fuse and combine say it: method, density, seed.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/params.h"
#include "types/model.h"

namespace atelier {

std::vector<ParamSpec> merge_params();

// The method's rule, its weights of blocks apart; nothing where the method is the sum.
std::optional<MergeRule> merge_rule_of(const Params& params);

// What is wrong with how the LoRAs of the port `loras` become one: their weights, those of their blocks, the method.
std::vector<std::string> check_combination(const Params& params, const std::map<std::string, std::size_t>& list_sizes);

}  // namespace atelier
