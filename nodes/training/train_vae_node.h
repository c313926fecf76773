// training: the node `train_vae`: the base's autoencoder.
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_train_vae_node();

}  // namespace atelier
