#include "model/base_model.h"

#include <filesystem>

#include "diffusion/safetensors.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

constexpr std::uint64_t kBytesOfFloat = 4;
constexpr std::uint64_t kTokenizerBytes = 16 << 20;  // 49,408 entries with their tables; measured once, rounded up

// A FileRef's path ends in its name: what stands before is the model's folder.
std::filesystem::path folder_of(const FileRef& file) {
  auto folder = file.path;
  for (const auto& part : std::filesystem::path(file.name))
    if (!part.empty()) folder = folder.parent_path();
  return folder;
}

// What a part takes once its weights are float32.
std::uint64_t bytes_as_float(const std::filesystem::path& weights) {
  const auto file = diffusion::Safetensors::open(weights);
  if (!file) return 0;  // loading it tells the error
  std::uint64_t elements = 0;
  for (const auto& [name, entry] : file->entries()) {
    std::uint64_t count = 1;
    for (const auto side : entry.shape) count *= static_cast<std::uint64_t>(side);
    elements += count;
  }
  return elements * kBytesOfFloat;
}

using PathOf = const std::filesystem::path& (diffusion::BaseModel::*)() const noexcept;
template <class Part>
using Load = diffusion::Result<std::shared_ptr<const Part>> (diffusion::BaseModel::*)(diffusion::ModelOptions) const;

template <class Part>
Expected<std::shared_ptr<const Part>> resident_part(const Model& model, Device& device, std::string_view what,
                                                    PathOf weights, Load<Part> load) {
  using Loaded = std::pair<std::shared_ptr<const Part>, std::uint64_t>;
  const auto digest = Encoder().text("part of a base model").text(what).digest(base_digest(model)).finish();
  return device.resident<Part>(digest, [&]() -> Expected<Loaded> {
    const auto folder = open_base(model);
    if (!folder) return tl::unexpected(folder.error());
    auto part = ((*folder).*load)({torch_device(device.id()), at::kFloat});
    if (!part) return passed_on(part.error());
    return Loaded{std::move(*part), bytes_as_float(folder->path() / ((*folder).*weights)())};
  });
}

}  // namespace

Expected<diffusion::BaseModel> open_base(const Model& model) {
  auto folder = diffusion::BaseModel::open(folder_of(model.files.front()));
  if (!folder) return passed_on(folder.error());
  return std::move(*folder);
}

Expected<std::shared_ptr<const diffusion::UNet>> resident_unet(const Model& model, Device& device) {
  return resident_part<diffusion::UNet>(model, device, "unet", &diffusion::BaseModel::unet_file,
                                        &diffusion::BaseModel::unet);
}

Expected<std::shared_ptr<const diffusion::Vae>> resident_vae(const Model& model, Device& device) {
  return resident_part<diffusion::Vae>(model, device, "vae", &diffusion::BaseModel::vae_file,
                                       &diffusion::BaseModel::vae);
}

Expected<std::shared_ptr<const diffusion::ClipTextModel>> resident_text_encoder(const Model& model, Device& device) {
  return resident_part<diffusion::ClipTextModel>(model, device, "text encoder", &diffusion::BaseModel::text_file,
                                                 &diffusion::BaseModel::text_encoder);
}

Expected<std::shared_ptr<const diffusion::ClipTokenizer>> resident_tokenizer(const Model& model, Device& device) {
  using Loaded = std::pair<std::shared_ptr<const diffusion::ClipTokenizer>, std::uint64_t>;
  const auto digest = Encoder().text("part of a base model").text("tokenizer").digest(base_digest(model)).finish();
  return device.resident<diffusion::ClipTokenizer>(digest, [&]() -> Expected<Loaded> {
    const auto folder = open_base(model);
    if (!folder) return tl::unexpected(folder.error());
    auto tokenizer = folder->tokenizer();
    if (!tokenizer) return passed_on(tokenizer.error());
    return Loaded{std::move(*tokenizer), kTokenizerBytes};
  });
}

std::int64_t size_multiple(const diffusion::BaseModel& base) {
  const auto halvings = static_cast<std::int64_t>(base.unet_config().levels.size()) - 1;
  return base.vae_config().downscale() * (std::int64_t{1} << halvings);
}

std::string version_name(const diffusion::BaseModel& base) {
  if (!base.unet_config().linear_projection) return "sd_v1";
  const bool velocity = base.scheduler_config().prediction_type == diffusion::PredictionType::v_prediction;
  return velocity ? "sd_v2_v" : "sd_v2";
}

}  // namespace atelier
