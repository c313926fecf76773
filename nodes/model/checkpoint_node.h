// model: checkpoint, a node. What a base's files do not say: its configuration, what it predicts, the dtype it is
// written in.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_checkpoint_node();

}  // namespace atelier
