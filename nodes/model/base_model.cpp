#include "model/base_model.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <filesystem>

#include "diffusion/lora_fuse.h"
#include "model/fused_weights.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

constexpr std::uint64_t kTokenizerBytes = 16 << 20;  // 49,408 entries with their tables; measured once, rounded up

// A FileRef's path ends in its name: what stands before is the folder that it was found in.
std::filesystem::path root_of(const FileRef& file, std::string_view prefix = {}) {
  auto folder = file.path;
  for (const auto& part : std::filesystem::path(file.name.substr(prefix.size())))
    if (!part.empty()) folder = folder.parent_path();
  return folder;
}

const FileRef* first_under(const Model& model, std::string_view prefix) {
  const auto found =
      std::ranges::find_if(model.files, [&](const FileRef& file) { return file.name.starts_with(prefix); });
  return found == model.files.end() ? nullptr : &*found;
}

diffusion::OpenOptions options_of(const Model& model) {
  diffusion::OpenOptions options;
  if (const auto* config = first_under(model, kConfigPrefix)) options.config = root_of(*config, kConfigPrefix);
  if (model.prediction_type == "epsilon") options.prediction_type = diffusion::PredictionType::epsilon;
  if (model.prediction_type == "v_prediction") options.prediction_type = diffusion::PredictionType::v_prediction;
  if (single_file_of(model) != nullptr) {
    if (const auto* words = first_under(model, "tokenizer/")) options.tokenizer = words->path.parent_path();
  }
  return options;
}

std::filesystem::path path_of(const Model& model) {
  if (const auto* file = single_file_of(model)) return file->path;
  const auto own =
      std::ranges::find_if(model.files, [](const auto& file) { return !file.name.starts_with(kConfigPrefix); });
  return own == model.files.end() ? std::filesystem::path() : root_of(*own);
}

std::uint64_t bytes_as(const diffusion::BaseModel& base, std::initializer_list<diffusion::ModelPart> parts,
                       at::ScalarType dtype) {
  std::uint64_t numbers = 0;
  const auto there = base.parts();
  for (const auto part : parts)
    if (std::ranges::find(there, part) != there.end()) numbers += base.stored(part).parameters;
  return numbers * c10::elementSize(dtype);
}

// What the weights of a model are made of. A weighted sum of LoRAs stands beside the base's as
// adapters; any other merge is in them.
Digest weights_digest(const Model& model) { return model.merge ? digest_of(model.to_artifact()) : base_digest(model); }

Expected<diffusion::PartWeights> weights_in_place(const Model& model, const diffusion::BaseModel& base,
                                                  const std::vector<diffusion::ModelPart>& parts) {
  if (!model.merge) return changed_parts(model, base, parts);
  const auto changes = model_changes(model, base);
  if (!changes) return tl::unexpected(changes.error());
  diffusion::PartWeights weights;
  for (const auto part : parts) {
    const auto of_part = changes->find(part);
    if (of_part == changes->end()) continue;
    const auto stored = base.weights(part);
    if (!stored) return passed_on(stored.error());
    auto merged = diffusion::with_changes(*stored, of_part->second);
    if (!merged) return passed_on(merged.error());
    weights[part] = std::move(*merged);
  }
  return weights;
}

// `load` gives a part and how many bytes it takes.
template <class Part, class Load>
Expected<std::shared_ptr<const Part>> resident_part(const Model& model, Device& device, std::string_view what,
                                                    at::ScalarType dtype, const Load& load) {
  using Loaded = std::pair<std::shared_ptr<const Part>, std::uint64_t>;
  auto encoder = Encoder();
  encoder.text("part of a base model").text(what).digest(weights_digest(model));
  if (dtype != at::kFloat) encoder.text(toString(dtype));
  return device.resident<Part>(encoder.finish(), [&]() -> Expected<Loaded> {
    const auto base = open_base(model);
    if (!base) return tl::unexpected(base.error());
    return load(*base, diffusion::ModelOptions{torch_device(device.id()), dtype});
  });
}

template <class Part>
using LoadedPart = Expected<std::pair<std::shared_ptr<const Part>, std::uint64_t>>;

template <class Part>
LoadedPart<Part> loaded(diffusion::Result<std::shared_ptr<const Part>> part, std::uint64_t bytes) {
  if (!part) return passed_on(part.error());
  return std::pair{std::move(*part), bytes};
}

}  // namespace

Expected<diffusion::BaseModel> open_base(const Model& model) {
  auto base = diffusion::BaseModel::open(path_of(model), options_of(model));
  if (!base) return passed_on(base.error());
  return std::move(*base);
}

Expected<diffusion::BaseModel> open_base(const Model& model, Context& context) {
  auto base = open_base(model);
  if (base)
    for (const auto& note : base->notes()) context.warn(note);
  return base;
}

Expected<std::shared_ptr<const diffusion::UNet>> resident_unet(const Model& model, Device& device,
                                                               at::ScalarType dtype) {
  using diffusion::ModelPart::unet;
  const auto load = [&](const auto& base, const auto& options) -> LoadedPart<diffusion::UNet> {
    const auto changed = weights_in_place(model, base, {unet});
    if (!changed) return tl::unexpected(changed.error());
    return loaded(base.unet(options, *changed), bytes_as(base, {unet}, dtype));
  };
  return resident_part<diffusion::UNet>(model, device, "unet", dtype, load);
}

Expected<std::shared_ptr<const diffusion::Vae>> resident_vae(const Model& model, Device& device, at::ScalarType dtype) {
  using diffusion::ModelPart::vae;
  const auto load = [&](const auto& base, const auto& options) -> LoadedPart<diffusion::Vae> {
    const auto changed = weights_in_place(model, base, {vae});
    if (!changed) return tl::unexpected(changed.error());
    return loaded(base.vae(options, *changed), bytes_as(base, {vae}, dtype));
  };
  return resident_part<diffusion::Vae>(model, device, "vae", dtype, load);
}

Expected<std::shared_ptr<const diffusion::TextEncoders>> resident_text_encoders(const Model& model, Device& device,
                                                                                at::ScalarType dtype) {
  using enum diffusion::ModelPart;
  const auto load = [&](const auto& base, const auto& options) -> LoadedPart<diffusion::TextEncoders> {
    const auto changed = weights_in_place(model, base, {text_encoder, text_encoder_2});
    if (!changed) return tl::unexpected(changed.error());
    return loaded(base.text_encoders(options, *changed),
                  bytes_as(base, {text_encoder, text_encoder_2}, dtype) + base.text_configs().size() * kTokenizerBytes);
  };
  return resident_part<diffusion::TextEncoders>(model, device, "text encoders", dtype, load);
}

std::int64_t size_multiple(const diffusion::BaseModel& base) { return base.vae_config().downscale(); }

std::int64_t native_size(const diffusion::BaseModel& base) {
  return base.unet_config().sample_size * base.vae_config().downscale();
}

}  // namespace atelier
