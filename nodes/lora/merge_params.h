// lora: how several LoRAs become one update, as the params of fuse and combine say it: method, density, seed.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/params.h"
#include "types/model.h"

namespace atelier {

std::vector<ParamSpec> merge_params();

// The method's rule, its weights of blocks apart; nothing where the method is the sum.
std::optional<MergeRule> merge_rule_of(const Params& params);

// Empty where the params fit together; otherwise the sentence.
std::string check_merge(const Params& params);

}  // namespace atelier
