// training: a training's state as an artifact, so that the store keeps it like any other content.
#pragma once
#include "artifact/artifact.h"
#include "base/error.h"
#include "diffusion/trainer.h"

namespace atelier {

// Step, weights and the optimizer's moments. Metadata `step` and `steps` say how far it is, for plans and people.
Artifact checkpoint_of(const diffusion::TrainerState& state, std::int64_t steps);

// Error: not a training's checkpoint.
Expected<diffusion::TrainerState> state_of(const Artifact& checkpoint);

}  // namespace atelier
