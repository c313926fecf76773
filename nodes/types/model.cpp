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

nlohmann::json json_of(const MergeRule& rule) {
  nlohmann::json object = {{"method", rule.method}, {"density", rule.density}, {"seed", rule.seed}};
  if (!rule.blocks.empty()) object["blocks"] = rule.blocks;
  return object;
}

Expected<MergeRule> merge_rule_of(const nlohmann::json& object, std::size_t loras) {
  const auto method = field<std::string>(object, "method", "merge");
  const auto density = field<double>(object, "density", "merge");
  const auto seed = field<std::int64_t>(object, "seed", "merge");
  if (!method) return tl::unexpected(method.error());
  if (!density) return tl::unexpected(density.error());
  if (!seed) return tl::unexpected(seed.error());
  MergeRule rule{*method, *density, *seed, {}};
  if (!object.contains("blocks")) return rule;
  auto blocks = field<std::vector<std::string>>(object, "blocks", "merge");
  if (!blocks) return tl::unexpected(blocks.error());
  if (blocks->size() != loras) return malformed("merge: there must be weights of blocks for each LoRA");
  rule.blocks = std::move(*blocks);
  return rule;
}

Expected<std::vector<FusedLora>> fused_loras_of(const Artifact& artifact) {
  std::vector<FusedLora> loras;
  if (!artifact.metadata.contains("loras")) return loras;
  const auto entries = field<std::vector<nlohmann::json>>(artifact.metadata, "loras", "model");
  if (!entries) return tl::unexpected(entries.error());
  for (std::size_t i = 0; i < entries->size(); ++i) {
    auto lora = fused_lora_of(artifact, (*entries)[i], i);
    if (!lora) return tl::unexpected(lora.error());
    loras.push_back(std::move(*lora));
  }
  return loras;
}

constexpr std::string_view kChanged = "changed/";

void put_changed(const ChangedWeights& changed, Artifact& artifact) {
  for (const auto& [part, weights] : changed.parts)
    for (const auto& [name, weight] : weights) artifact.tensors[fmt::format("{}{}/{}", kChanged, part, name)] = weight;
  artifact.metadata["changed"] = changed.digest.hex();
}

Expected<ChangedWeights> changed_of(const Artifact& artifact) {
  const auto digest = digest_field(artifact.metadata, "changed", "model");
  if (!digest) return tl::unexpected(digest.error());
  ChangedWeights changed{{}, *digest};
  for (auto it = artifact.tensors.lower_bound(std::string(kChanged));
       it != artifact.tensors.end() && it->first.starts_with(kChanged); ++it) {
    const auto name = it->first.substr(kChanged.size());
    const auto slash = name.find('/');
    if (slash == std::string::npos || it->second.dtype() != DType::f32)
      return malformed(fmt::format("model: '{}' is no changed weight", it->first));
    changed.parts[name.substr(0, slash)][name.substr(slash + 1)] = it->second;
  }
  return changed;
}

}  // namespace

ChangedWeights ChangedWeights::of(Parts parts) {
  Artifact values;
  for (const auto& [part, weights] : parts)
    for (const auto& [name, weight] : weights) values.tensors[part + "/" + name] = weight;
  return {std::move(parts), digest_of(values)};
}

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
  if (model.changed) encoder.text("changed").digest(model.changed->digest);
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
  if (merge) artifact.metadata["merge"] = json_of(*merge);
  if (changed) put_changed(*changed, artifact);
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
  if (artifact.metadata.contains("changed")) {
    auto changed = changed_of(artifact);
    if (!changed) return tl::unexpected(changed.error());
    model.changed = std::move(*changed);
  }
  auto loras = fused_loras_of(artifact);
  if (!loras) return tl::unexpected(loras.error());
  model.loras = std::move(*loras);
  if (!artifact.metadata.contains("merge")) return model;
  auto merge = merge_rule_of(artifact.metadata.at("merge"), model.loras.size());
  if (!merge) return tl::unexpected(merge.error());
  model.merge = std::move(*merge);
  return model;
}

}  // namespace atelier
