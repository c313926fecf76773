// A single file in the original layout.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>

#include "diffusion/lora_base.h"
#include "diffusion/model_write_parts.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

bool is_weight(const std::string& key, const BaseModel& base) {
  if (key.starts_with("model_ema.")) return true;
  for (const ModelPart part : base.parts()) {
    if (key.starts_with(original_prefix(part, base.architecture()))) return true;
  }
  return false;
}

LoraBase kind_of(const BaseModel& base) { return {base.architecture(), base.scheduler_config().prediction_type}; }

constexpr const char* kHashKey = "modelspec.hash_sha256";  // of the tensors' bytes, as modelspec 1.0.0 has it
constexpr std::size_t kHashDigits = 64;

/// What is known late, and with it the hash.
std::optional<LateMetadata> with_hash(const std::optional<LateMetadata>& late) {
  if (!late) return std::nullopt;
  LateMetadata both = *late;
  both.placeholder[kHashKey] = "0x" + std::string(kHashDigits, '0');
  both.known = [known = late->known](const std::string& data_hash) {
    return known(data_hash).map([&](Metadata metadata) {
      metadata[kHashKey] = "0x" + data_hash;
      return metadata;
    });
  };
  return both;
}

void add(Metadata& metadata, const Metadata& more) {
  for (const auto& [key, value] : more) metadata[key] = value;
}

/// The base's own file with the changes in it.
Result<void> rewrite(const BaseModel& base, const ModelChanges& changes, const fs::path& path,
                     const WriteOptions& options) {
  const auto asked = base.options().prediction_type;
  if (changes.empty() && !options.dtype && !asked) return copy_bytes(base.path(), path);
  const auto file = Safetensors::open(base.path());
  if (!file) return tl::unexpected(file.error());
  auto tensors = file->tensors();
  if (!tensors) return tl::unexpected(tensors.error());
  std::vector<PlannedTensor> changed;
  for (const auto& [part, of_part] : changes) {
    const auto weights = base.weights(part, Finiteness::unchecked);
    if (!weights) return tl::unexpected(weights.error());
    for (PlannedTensor& one :
         plan_places(*weights, base.stored(part).places, of_part, options.dtype, PlacesWritten::changed))
      changed.push_back(std::move(one));
  }
  Metadata metadata = file->metadata();
  metadata.erase(kHashKey);  // of other tensors
  if (asked) metadata["modelspec.prediction_type"] = modelspec_prediction(kind_of(base));
  add(metadata, options.metadata);
  const auto dtype = [&](const std::string& key) { return is_weight(key, base) ? options.dtype : std::nullopt; };
  return stream_safetensors(path, plan_rewritten(*std::move(tensors), std::move(changed), dtype), metadata,
                            with_hash(options.late));
}

/// What tells readers the file's kind: https://github.com/Stability-AI/ModelSpec, 1.0.0.
Metadata metadata_of(const BaseModel& base, const std::string& title) {
  const int64_t side = base.unet_config().sample_size * base.vae_config().downscale();
  Metadata metadata{{"format", "pt"},
                    {"modelspec.sai_model_spec", "1.0.0"},
                    {"modelspec.architecture", std::string(modelspec_architecture(kind_of(base)))},
                    {"modelspec.implementation", "diffusers"},
                    {"modelspec.prediction_type", std::string(modelspec_prediction(kind_of(base)))},
                    {"modelspec.resolution", fmt::format("{}x{}", side, side)}};
  if (!title.empty()) metadata["modelspec.title"] = title;
  return metadata;
}

/// Other tools count the blocks of OpenCLIP and leave out the last; as kohya's, the copy stands for the one that the
/// folder has lost.
void add_unused_block(std::vector<PlannedTensor>& tensors, int64_t layers) {
  const std::string start = "cond_stage_model.model.transformer.resblocks.";
  const std::string last = fmt::format("{}{}.", start, layers - 1), unused = fmt::format("{}{}.", start, layers);
  std::vector<PlannedTensor> copies;
  for (const PlannedTensor& tensor : tensors) {
    if (!tensor.name.starts_with(last)) continue;
    copies.push_back(tensor);
    copies.back().name = unused + tensor.name.substr(last.size());
  }
  std::ranges::move(copies, std::back_inserter(tensors));
}

/// ComfyUI and others tell SDXL's v models by empty tensors of these names.
void add_markers(std::vector<PlannedTensor>& tensors, const BaseModel& base) {
  const SchedulerConfig& scheduler = base.scheduler_config();
  if (base.architecture() != Architecture::sdxl) return;
  if (scheduler.prediction_type == PredictionType::v_prediction)
    tensors.push_back(planned("v_pred", at::empty({0}, at::kFloat)));
  if (scheduler.rescale_betas_zero_snr) tensors.push_back(planned("ztsnr", at::empty({0}, at::kFloat)));
}

/// The places with the part's prefix before their keys.
std::vector<WeightPlace> in_file(std::vector<WeightPlace> places, const std::string& prefix) {
  for (WeightPlace& place : places) place.key = prefix + place.key;
  return places;
}

}  // namespace

Result<void> write_single_file(const BaseModel& base, const ModelChanges& changes, const fs::path& path,
                               const WriteOptions& options) {
  const bool other_tools_read_it = base.layout() == ModelLayout::original_file && !base.only_averages();
  if (other_tools_read_it) return rewrite(base, changes, path, options);
  std::vector<PlannedTensor> tensors;
  for (const ModelPart part : base.parts()) {
    const auto weights = base.weights(part);
    if (!weights) return tl::unexpected(weights.error());
    const auto places = in_file(base.original_places(part), original_prefix(part, base.architecture()));
    for (PlannedTensor& one : plan_places(*weights, places, changes_of(changes, part), options.dtype))
      tensors.push_back(std::move(one));
  }
  if (base.architecture() == Architecture::sd2) add_unused_block(tensors, base.text_configs()[0].layers);
  add_markers(tensors, base);
  Metadata metadata = metadata_of(base, options.title);
  add(metadata, options.metadata);
  return stream_safetensors(path, std::move(tensors), metadata, with_hash(options.late));
}

}  // namespace atelier::diffusion
