// A single file in the original layout.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>

#include "diffusion/lora_base.h"
#include "diffusion/model_write_parts.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

/// The changed part's weights over the file's own tensors.
void put_changed(WeightMap& tensors, const StoredPart& stored, const WeightMap& changed) {
  for (auto& [key, tensor] : at_places(changed, stored.places, "", std::nullopt)) {
    at::Tensor& old = tensors.at(key);
    old = tensor.reshape(old.sizes());  // a 1x1 convolution, or the linear layer that other tools make of it
  }
}

bool is_weight(const std::string& key, const BaseModel& base) {
  if (key.starts_with("model_ema.")) return true;
  for (const ModelPart part : base.parts()) {
    if (key.starts_with(original_prefix(part, base.architecture()))) return true;
  }
  return false;
}

LoraBase kind_of(const BaseModel& base) { return {base.architecture(), base.scheduler_config().prediction_type}; }

/// The base's own file with the changes in it.
Result<void> rewrite(const BaseModel& base, const PartWeights& changed, const fs::path& path,
                     const WriteOptions& options) {
  const auto asked = base.options().prediction_type;
  if (changed.empty() && !options.dtype && !asked) return copy_bytes(base.path(), path);
  auto file = Safetensors::open(base.path());
  if (!file) return tl::unexpected(file.error());
  auto tensors = file->tensors();
  if (!tensors) return tl::unexpected(tensors.error());
  for (const auto& [part, weights] : changed) put_changed(*tensors, base.stored(part), weights);
  for (auto& [key, tensor] : *tensors) {
    if (is_weight(key, base)) tensor = in_dtype(tensor, options.dtype);
  }
  Metadata metadata = file->metadata();
  if (asked) metadata["modelspec.prediction_type"] = modelspec_prediction(kind_of(base));
  return write_safetensors(path, *tensors, metadata);
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
void add_unused_block(WeightMap& tensors, int64_t layers) {
  const std::string start = "cond_stage_model.model.transformer.resblocks.";
  const std::string last = fmt::format("{}{}.", start, layers - 1), unused = fmt::format("{}{}.", start, layers);
  WeightMap copies;
  for (const auto& [key, tensor] : tensors) {
    if (key.starts_with(last)) copies[unused + key.substr(last.size())] = tensor;
  }
  tensors.merge(copies);
}

/// ComfyUI and others tell SDXL's v models by empty tensors of these names.
void add_markers(WeightMap& tensors, const BaseModel& base) {
  const SchedulerConfig& scheduler = base.scheduler_config();
  if (base.architecture() != Architecture::sdxl) return;
  if (scheduler.prediction_type == PredictionType::v_prediction) tensors["v_pred"] = at::empty({0}, at::kFloat);
  if (scheduler.rescale_betas_zero_snr) tensors["ztsnr"] = at::empty({0}, at::kFloat);
}

}  // namespace

WeightMap at_places(const WeightMap& weights, const std::vector<WeightPlace>& places, const std::string& prefix,
                    std::optional<at::ScalarType> dtype) {
  WeightMap result;
  std::map<std::string, std::map<StoredForm, at::Tensor>> packed;
  for (const WeightPlace& place : places) {
    const auto found = weights.find(place.name);
    if (found == weights.end()) continue;
    const at::Tensor weight = in_dtype(found->second, dtype);
    if (is_packed(place.form)) {
      packed[prefix + place.key][place.form] = weight;
    } else {
      result[prefix + place.key] = as_stored(weight, place);
    }
  }
  for (const auto& [key, parts] : packed) {
    result[key] =
        at::cat({parts.at(StoredForm::packed_q), parts.at(StoredForm::packed_k), parts.at(StoredForm::packed_v)});
  }
  return result;
}

at::Tensor in_dtype(const at::Tensor& tensor, std::optional<at::ScalarType> dtype) {
  return dtype && tensor.is_floating_point() ? tensor.to(*dtype) : tensor;
}

Result<void> write_single_file(const BaseModel& base, const PartWeights& changed, const fs::path& path,
                               const WriteOptions& options) {
  const bool other_tools_read_it = base.layout() == ModelLayout::original_file && !base.only_averages();
  if (other_tools_read_it) return rewrite(base, changed, path, options);
  WeightMap tensors;
  for (const ModelPart part : base.parts()) {
    const auto found = changed.find(part);
    auto weights = found == changed.end() ? base.weights(part) : Result<WeightMap>(found->second);
    if (!weights) return tl::unexpected(weights.error());
    tensors.merge(
        at_places(*weights, base.original_places(part), original_prefix(part, base.architecture()), options.dtype));
  }
  if (base.architecture() == Architecture::sd2) add_unused_block(tensors, base.text_configs()[0].layers);
  add_markers(tensors, base);
  return write_safetensors(path, tensors, metadata_of(base, options.title));
}

}  // namespace atelier::diffusion
