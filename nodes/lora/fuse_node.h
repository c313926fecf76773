// lora: the node `fuse`: a base model with LoRAs in its weights.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_fuse_node();

}  // namespace atelier
