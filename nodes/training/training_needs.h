// training: what a training asks of a machine, told before anything is loaded: from its params and the base's
// configuration.
#pragma once
#include "diffusion/training_memory.h"
#include "graph/node.h"

namespace atelier {

// Memory as diffusion::training_memory() estimates it: a step's as bytes of the device and a checkpoint's copies as
// bytes of the host; on the CPU the device is the host, and the larger of the two moments counts. The params are those
// of a training node of that mode. Where the base is not known yet, or cannot be opened (the task itself will tell),
// memory is not known.
Needs training_needs(diffusion::TrainedWeights trained, const Params& params, const InputInfo& info);

}  // namespace atelier
