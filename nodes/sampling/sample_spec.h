// sampling: the ports and params of the node `sample`, and what its params say.
#pragma once
#include "graph/node_spec.h"
#include "graph/params.h"
#include "sampling/paint_settings.h"

namespace atelier {

NodeSpec sample_spec();

// Fault: params that the spec does not allow.
PaintSettings paint_settings_of(const Params& params);

}  // namespace atelier
