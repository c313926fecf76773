// sampling: the node `class_pictures`: what a training is reminded of so that it does not forget the class of its
// subject (DreamBooth's prior preservation, Ruiz et al. 2022).
#pragma once
#include <memory>

#include "graph/node.h"

namespace atelier {

std::unique_ptr<const Node> make_class_pictures_node();

}  // namespace atelier
