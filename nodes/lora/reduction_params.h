// lora: how far a LoRA is reduced, as params of several nodes say it: rank, energy, error.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/lora_reduce.h"
#include "graph/params.h"

namespace atelier {

// The three params. `otherwise` says what comes out where none is given, as in "absent: the exact sum"; empty where one
// must be.
std::vector<ParamSpec> reduction_params(const std::string& otherwise = {});

// What the params ask for; nothing where none is given.
std::optional<diffusion::RankLimit> rank_limit_of(const Params& params);

// Empty where the params fit together; otherwise the sentence. `needed_by` is what needs one of them, as in "the method
// ties"; empty: nothing does.
std::string check_reduction(const Params& params, std::string_view needed_by = {});

}  // namespace atelier
