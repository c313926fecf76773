// training: the node `encode`: images as the VAE's latents, captions as the text encoder's hidden states.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_encode_node();

}  // namespace atelier
