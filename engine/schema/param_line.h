// schema: what a param takes, in one line for people.
#pragma once
#include <string>

#include "graph/node_spec.h"

namespace atelier {

// "an integer in px; default 512; 64 … 4096; does not change the result".
std::string param_line(const ParamSpec& param);

}  // namespace atelier
