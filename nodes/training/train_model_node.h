// training: the node `train_model`: the base's own weights, learned from datasets under their masks.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_train_model_node();

}  // namespace atelier
