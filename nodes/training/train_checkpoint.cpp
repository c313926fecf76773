#include "training/train_checkpoint.h"

#include "model/tensors.h"
#include "types/json_fields.h"

namespace atelier {

Artifact checkpoint_of(const diffusion::TrainerState& state, std::int64_t steps) {
  Artifact artifact;
  artifact.metadata = {{"step", state.step}, {"steps", steps}};
  for (const auto& [name, tensor] : state.tensors) artifact.tensors[name] = as_tensor(tensor);
  return artifact;
}

Expected<diffusion::TrainerState> state_of(const Artifact& checkpoint) {
  const auto step = field<std::int64_t>(checkpoint.metadata, "step", "checkpoint");
  if (!step) return tl::unexpected(step.error());
  diffusion::TrainerState state;
  state.step = *step;
  for (const auto& [name, tensor] : checkpoint.tensors) state.tensors[name] = as_torch(tensor);
  return state;
}

}  // namespace atelier
