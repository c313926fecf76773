#include "training/train_checkpoint.h"

#include <utility>

#include "model/tensors.h"
#include "types/json_fields.h"

namespace atelier {
namespace {

// No name of the trainer's begins so: its own begin with a layer's path or with `trainer.`.
constexpr std::string_view kBest = "validation/best/", kPicture = "validation/picture/";

std::string picture_name(std::size_t i) { return fmt::format("{}{:05}", kPicture, i); }

void put(const Validations& validations, Artifact& artifact) {
  if (validations.best) {
    artifact.metadata["best"] = {{"step", validations.best->step}, {"loss", validations.best->loss}};
    for (const auto& [name, tensor] : validations.best->values)
      artifact.tensors[std::string(kBest) + name] = as_tensor(tensor);
  }
  if (validations.pictures.items.empty()) return;
  auto entries = nlohmann::json::array();
  for (const auto& picture : validations.pictures.items) {
    artifact.tensors[picture_name(entries.size())] = picture.pixels;
    entries.push_back({{"name", picture.name}, {"metadata", picture.metadata}});
  }
  artifact.metadata["pictures"] = std::move(entries);
}

Expected<Validations> validations_of(const Artifact& artifact) {
  Validations validations;
  if (artifact.metadata.contains("best")) {
    const auto& best = artifact.metadata.at("best");
    const auto step = field<std::int64_t>(best, "step", "checkpoint");
    const auto loss = field<double>(best, "loss", "checkpoint");
    if (!step) return tl::unexpected(step.error());
    if (!loss) return tl::unexpected(loss.error());
    validations.best = Validations::Best{*step, *loss, {}};
    for (const auto& [name, tensor] : artifact.tensors)
      if (name.starts_with(kBest)) validations.best->values[name.substr(kBest.size())] = as_torch(tensor);
  }
  if (!artifact.metadata.contains("pictures")) return validations;
  for (const auto& entry : artifact.metadata.at("pictures")) {
    const auto name = field<std::string>(entry, "name", "checkpoint");
    const auto metadata = field<nlohmann::json>(entry, "metadata", "checkpoint");
    const auto pixels = artifact.tensors.find(picture_name(validations.pictures.items.size()));
    if (!name) return tl::unexpected(name.error());
    if (!metadata) return tl::unexpected(metadata.error());
    if (pixels == artifact.tensors.end())
      return malformed(fmt::format("checkpoint: the picture '{}' is missing", *name));
    validations.pictures.items.push_back({*name, pixels->second, *metadata});
  }
  return validations;
}

}  // namespace

Artifact checkpoint_of(const TrainCheckpoint& checkpoint, std::int64_t steps) {
  Artifact artifact;
  artifact.metadata = {{"step", checkpoint.trainer.step}, {"steps", steps}};
  for (const auto& [name, tensor] : checkpoint.trainer.tensors) artifact.tensors[name] = as_tensor(tensor);
  put(checkpoint.validations, artifact);
  return artifact;
}

Expected<TrainCheckpoint> checkpoint_from(const Artifact& artifact) {
  const auto step = field<std::int64_t>(artifact.metadata, "step", "checkpoint");
  if (!step) return tl::unexpected(step.error());
  auto validations = validations_of(artifact);
  if (!validations) return tl::unexpected(validations.error());
  TrainCheckpoint checkpoint{{*step, {}}, std::move(*validations)};
  for (const auto& [name, tensor] : artifact.tensors)
    if (!name.starts_with(kBest) && !name.starts_with(kPicture)) checkpoint.trainer.tensors[name] = as_torch(tensor);
  return checkpoint;
}

}  // namespace atelier
