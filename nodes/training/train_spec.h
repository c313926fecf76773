// training: what the node `train` declares of itself.
#pragma once
#include "graph/node_spec.h"

namespace atelier {

NodeSpec train_spec();

}  // namespace atelier
