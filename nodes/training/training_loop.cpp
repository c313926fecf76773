#include "training/training_loop.h"

#include <fmt/format.h>

namespace atelier {

std::optional<TrainCheckpoint> resumed(
    Context& context, const std::function<diffusion::Result<void>(const diffusion::TrainerState&)>& restore) {
  const auto began_anew = [&](const std::string& why) { context.warn(why + "; the training began anew"); };
  const auto artifact = context.load_checkpoint();
  if (!artifact) return {};
  auto checkpoint = checkpoint_from(*artifact);
  if (!checkpoint) {
    began_anew(checkpoint.error().message);
    return {};
  }
  if (const auto restored = restore(checkpoint->trainer); !restored) {
    began_anew(restored.error().message);
    return {};
  }
  return std::move(*checkpoint);
}

Expected<void> run_steps(const TrainingLoop& loop, Context& context) {
  while (loop.done() < loop.steps) {
    if (context.stop_requested()) {
      if (auto saved = loop.save(); !saved) return saved;
      return failure(fmt::format("stopped at step {} of {}", loop.done(), loop.steps), ErrorKind::stopped);
    }
    if (auto done = loop.step(); !done) return done;
    if (loop.done() < loop.steps && loop.done() % loop.checkpoint_every == 0)
      if (auto saved = loop.save(); !saved) return saved;
  }
  return {};
}

}  // namespace atelier
