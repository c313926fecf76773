// lora: the node `diff`: one LoRA without what another has learned too.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_diff_node();

}  // namespace atelier
