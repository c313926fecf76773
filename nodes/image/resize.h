// image: the node `resize`: pictures of one size, or of a few (buckets), cropped around the face.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_resize();

}  // namespace atelier
