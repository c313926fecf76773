// schema: what a node declares, as JSON for programs.
#pragma once
#include <nlohmann/json.hpp>
#include <string_view>

#include "graph/node_spec.h"

namespace atelier {

// "boolean", "integer", "number", "text", "list": a type's name for programs.
std::string_view id_of(ValueType type) noexcept;

// All of the spec. A default that there is none of is null; `minimum`, `maximum`, `choices` and `element` stand only
// where the param has them.
nlohmann::json node_json(const NodeSpec& spec);

}  // namespace atelier
