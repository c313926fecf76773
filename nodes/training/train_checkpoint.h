// training: a training's state as an artifact, so that the store keeps it like any other content.
#pragma once
#include <optional>

#include "artifact/artifact.h"
#include "base/error.h"
#include "diffusion/trainer.h"
#include "types/pictures.h"

namespace atelier {

// What validations have given so far.
struct Validations {
  struct Best {
    std::int64_t step = 0;  // steps done when it was measured
    double loss = 0;
    diffusion::TrainedValues values;  // empty unless the best is what comes out
  };
  std::optional<Best> best;
  PictureSet pictures;
};

struct TrainCheckpoint {
  diffusion::TrainerState trainer;
  Validations validations;
};

// Step, weights, the optimizer's memory and what validations gave. Metadata `step` and `steps` say how far it is, for
// plans and people.
Artifact checkpoint_of(const TrainCheckpoint& checkpoint, std::int64_t steps);

// Error: not a training's checkpoint.
Expected<TrainCheckpoint> checkpoint_from(const Artifact& artifact);

}  // namespace atelier
