// training: the steps of a training that may be cut off and goes on from its checkpoint, whatever a step is.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>

#include "graph/context.h"
#include "training/train_checkpoint.h"

namespace atelier {

// The task's checkpoint, once `restore` took its state over. Nothing where there is none, or where it does not fit:
// then the task is warned that the training began anew.
std::optional<TrainCheckpoint> resumed(
    Context& context, const std::function<diffusion::Result<void>(const diffusion::TrainerState&)>& restore);

struct TrainingLoop {
  std::int64_t steps = 0, checkpoint_every = 1;
  std::function<std::int64_t()> done;      // steps so far
  std::function<Expected<void>()> step{};  // one more
  std::function<Expected<void>()> save{};  // a checkpoint
};

// Steps until all are done, saving every so many and not after the last. Errors: stopped, once the state is saved;
// those of a step and of saving.
Expected<void> run_steps(const TrainingLoop& loop, Context& context);

}  // namespace atelier
