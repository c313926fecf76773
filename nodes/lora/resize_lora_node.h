// lora: the node `resize_lora`: a LoRA at a lower rank.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_resize_lora_node();

}  // namespace atelier
