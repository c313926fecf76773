// sampling: the node `sample`: pictures of prompts from a model, or from a base with LoRAs beside it.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_sample_node();

}  // namespace atelier
