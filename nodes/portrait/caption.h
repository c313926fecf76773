// portrait: the node `caption`: a caption for each picture.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_caption();

}  // namespace atelier
