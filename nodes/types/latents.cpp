#include "types/latents.h"

#include "types/json_fields.h"

namespace atelier {
namespace {

constexpr std::string_view kNoOutput =
    "latents stay in the cache and cannot be an output: give model, lora, pictures, images, masks or captions";

std::string photo_prefix(std::size_t i) { return fmt::format("photo/{:05}/", i); }

nlohmann::json entry_of(const EncodedPhoto& photo) {
  return {{"name", photo.name},
          {"photo", photo.photo.hex()},
          {"sizes", photo.sizes.time_ids()},
          {"repeats", photo.repeats},
          {"mirrored", photo.mirrored}};
}

Expected<EncodedPhoto> photo_of(const Artifact& artifact, const nlohmann::json& entry, std::size_t i) {
  const auto name = field<std::string>(entry, "name", "latents");
  const auto digest = digest_field(entry, "photo", "latents");
  const auto sizes = field<std::array<std::int64_t, 6>>(entry, "sizes", "latents");
  const auto repeats = field<std::int64_t>(entry, "repeats", "latents");
  const auto mirrored = field<bool>(entry, "mirrored", "latents");
  const auto mean = tensor_field(artifact, photo_prefix(i) + "mean", 3, "latents");
  const auto deviation = tensor_field(artifact, photo_prefix(i) + "deviation", 3, "latents");
  const auto validity = tensor_field(artifact, photo_prefix(i) + "validity", 2, "latents");
  if (!name) return tl::unexpected(name.error());
  if (!digest) return tl::unexpected(digest.error());
  if (!sizes) return tl::unexpected(sizes.error());
  if (!repeats) return tl::unexpected(repeats.error());
  if (!mirrored) return tl::unexpected(mirrored.error());
  for (const auto* tensor : {&mean, &deviation, &validity})
    if (!*tensor) return tl::unexpected(tensor->error());
  const auto& grid = mean->shape();
  if (deviation->shape() != grid || validity->shape() != Tensor::Shape{grid[1], grid[2]})
    return malformed(fmt::format("latents: the tensors of '{}' differ in size", *name));
  return EncodedPhoto{*name, *digest, *mean, *deviation, *validity, PhotoSizes::of(*sizes), *repeats, *mirrored};
}

class LatentsType final : public PortType {
 public:
  std::string_view name() const override { return "latents"; }
  std::string validate(const Artifact& artifact) const override {
    const auto view = Latents::from(artifact);
    return view ? std::string() : view.error().message;
  }
  std::string check_output_path(std::string_view) const override { return std::string(kNoOutput); }
  Expected<void> write(const Artifact&, const std::filesystem::path&, std::string_view) const override {
    return failure(std::string(kNoOutput));
  }
};

}  // namespace

Artifact Latents::to_artifact() const {
  Artifact artifact;
  auto entries = nlohmann::json::array();
  for (const auto& photo : photos) {
    const auto prefix = photo_prefix(entries.size());
    artifact.tensors[prefix + "mean"] = photo.mean;
    artifact.tensors[prefix + "deviation"] = photo.deviation;
    artifact.tensors[prefix + "validity"] = photo.validity;
    entries.push_back(entry_of(photo));
  }
  artifact.metadata["photos"] = std::move(entries);
  put_texts(texts, text_settings, artifact);
  return artifact;
}

Expected<Latents> Latents::from(const Artifact& artifact) {
  Latents latents;
  const auto photos = field<std::vector<nlohmann::json>>(artifact.metadata, "photos", "latents");
  if (!photos) return tl::unexpected(photos.error());
  for (std::size_t i = 0; i < photos->size(); ++i) {
    auto photo = photo_of(artifact, (*photos)[i], i);
    if (!photo) return tl::unexpected(photo.error());
    latents.photos.push_back(std::move(*photo));
  }
  auto texts = texts_of(artifact, "latents");
  if (!texts) return tl::unexpected(texts.error());
  latents.texts = std::move(*texts);
  const auto settings = text_settings_of(artifact, "latents");
  if (!settings) return tl::unexpected(settings.error());
  latents.text_settings = *settings;
  return latents;
}

std::shared_ptr<const PortType> make_latents_type() { return std::make_shared<LatentsType>(); }

}  // namespace atelier
