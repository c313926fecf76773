// schema: what may stand for a param under `with:`, as JSON Schema.
#pragma once
#include <nlohmann/json.hpp>

#include "graph/node_spec.h"

namespace atelier {

// Keys in the order in which a reader wants them.
using Schema = nlohmann::ordered_json;

// A value that suits the param, or a template in its place: "${name}" for any type, a text around it for text too.
// Types whose keywords do not touch each other share one schema, so that a mistake is told as one and not as a choice.
Schema param_schema(const ParamSpec& param);

}  // namespace atelier
