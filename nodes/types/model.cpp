#include "types/model.h"

#include "types/json_fields.h"

namespace atelier {
namespace {

std::string lora_prefix(std::size_t i) { return fmt::format("lora/{}/", i); }

Expected<FusedLora> fused_lora_of(const Artifact& artifact, const nlohmann::json& entry, std::size_t i) {
  const auto weight = field<double>(entry, "weight", "model");
  const auto metadata = field<nlohmann::json>(entry, "lora", "model");
  if (!weight) return tl::unexpected(weight.error());
  if (!metadata) return tl::unexpected(metadata.error());
  Artifact one;
  one.metadata = *metadata;
  const auto prefix = lora_prefix(i);
  for (auto it = artifact.tensors.lower_bound(prefix); it != artifact.tensors.end() && it->first.starts_with(prefix);
       ++it)
    one.tensors[it->first.substr(prefix.size())] = it->second;
  auto lora = LoraSet::from(one);
  if (!lora) return tl::unexpected(lora.error());
  return FusedLora{std::move(*lora), *weight};
}

}  // namespace

const FileRef* single_file_of(const Model& model) {
  for (const auto& file : model.files)
    if (file.name == kSingleFile) return &file;
  return nullptr;
}

Digest base_digest(const Model& model) {
  Encoder encoder;
  encoder.text("base model").list(model.files.size());
  for (const auto& file : model.files) encoder.text(file.name).digest(file.digest);
  if (!model.prediction_type.empty()) encoder.text("prediction_type").text(model.prediction_type);
  return encoder.finish();
}

Artifact Model::to_artifact() const {
  Artifact artifact;
  artifact.files = files;
  auto entries = nlohmann::json::array();
  for (const auto& [lora, weight] : loras) {
    const auto one = lora.to_artifact();
    const auto prefix = lora_prefix(entries.size());
    for (const auto& [name, tensor] : one.tensors) artifact.tensors[prefix + name] = tensor;
    entries.push_back({{"weight", weight}, {"lora", one.metadata}});
  }
  if (!entries.empty()) artifact.metadata["loras"] = std::move(entries);
  if (!prediction_type.empty()) artifact.metadata["prediction_type"] = prediction_type;
  if (!dtype.empty()) artifact.metadata["dtype"] = dtype;
  return artifact;
}

Expected<Model> Model::from(const Artifact& artifact) {
  Model model;
  model.files = artifact.files;
  if (model.files.empty()) return malformed("model: it refers to no file");
  for (const auto& [key, value] : {std::pair{"prediction_type", &model.prediction_type}, {"dtype", &model.dtype}}) {
    if (!artifact.metadata.contains(key)) continue;
    auto text = field<std::string>(artifact.metadata, key, "model");
    if (!text) return tl::unexpected(text.error());
    *value = std::move(*text);
  }
  if (!artifact.metadata.contains("loras")) return model;
  const auto entries = field<std::vector<nlohmann::json>>(artifact.metadata, "loras", "model");
  if (!entries) return tl::unexpected(entries.error());
  for (std::size_t i = 0; i < entries->size(); ++i) {
    auto lora = fused_lora_of(artifact, (*entries)[i], i);
    if (!lora) return tl::unexpected(lora.error());
    model.loras.push_back(std::move(*lora));
  }
  return model;
}

}  // namespace atelier
