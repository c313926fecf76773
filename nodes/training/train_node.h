// training: the node `train`: a LoRA of a frozen base, learned from datasets under their masks.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_train_node();

}  // namespace atelier
