// sampling: the ports and params of the node `sample`, and what its params say.
#pragma once
#include <string>
#include <vector>

#include "graph/node_spec.h"
#include "graph/params.h"
#include "sampling/paint_settings.h"

namespace atelier {

NodeSpec sample_spec();

// What a param that names a sampler may be.
std::vector<std::string> sampler_choices();

// What the UNet computes in, named as the training nodes name it.
ParamSpec precision_param();

// Fault: params that the spec does not allow.
PaintSettings paint_settings_of(const Params& params);

}  // namespace atelier
