// lora: the node `extract_lora`: the LoRA that comes nearest to what a training changed in a model.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_extract_lora_node();

}  // namespace atelier
