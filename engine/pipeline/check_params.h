// pipeline: whether the params of a step suit its node, for given values of the pipeline's params.
#pragma once
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/pipeline.h"

namespace atelier {

struct ParamMistake {
  const ParamBinding* binding = nullptr;  // null: the params, or ports, do not suit each other
  std::string sentence;                   // "expects an integer of at least 1, '${steps}' is 0"
};

// What is wrong with a step under `values`. Where `changed` is given, only what depends on one of those names.
std::vector<ParamMistake> check_params(const PipelineStep& step, const ParamValues& values,
                                       const std::set<std::string>* changed = nullptr);

// "step 'model', param 'weights': " or "step 'model': ".
std::string owner_of(std::string_view step, const ParamMistake& mistake);

}  // namespace atelier
