// training: the node `dataset`: photos as latents, each with its mask and caption, as one set to learn from.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_dataset_node();

}  // namespace atelier
