// image: the node `load`: photos from disk to upright pixels.
#pragma once
#include <memory>

#include "base/files.h"
#include "graph/node.h"

namespace atelier {

// `files` outlives the node.
std::unique_ptr<const Node> make_load(Files& files);

}  // namespace atelier
