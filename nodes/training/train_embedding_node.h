// training: the node `train_embedding`: what a new word means to the base (textual inversion).
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_train_embedding_node();

}  // namespace atelier
