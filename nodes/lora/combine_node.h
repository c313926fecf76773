// lora: the node `combine`: one LoRA out of several.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_combine_node();

}  // namespace atelier
