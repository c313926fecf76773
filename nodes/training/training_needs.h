// training: what a training asks of a machine, as far as its params and the sizes of its inputs tell.
#pragma once
#include "graph/node.h"

namespace atelier {

Needs training_needs(const Params& params, const InputInfo& info);

}  // namespace atelier
