#include "types/pictures.h"

#include <fmt/format.h>

#include "types/item_tensors.h"
#include "types/png.h"

namespace atelier {
namespace {

using Json = nlohmann::json;

class PicturesType final : public PortType {
 public:
  explicit PicturesType(Files& files) : files_(files) {}
  std::string_view name() const override { return "pictures"; }
  std::string validate(const Artifact& artifact) const override {
    const auto set = PictureSet::from(artifact);
    return set ? "" : set.error().message;
  }
  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    const auto set = PictureSet::from(artifact);
    if (!set) return tl::unexpected(set.error());
    if (auto made = files_.make_folders(path); !made) return made;
    for (const auto& picture : set->items) {
      const auto png = encode_png(picture.pixels, {{"parameters", webui_parameters(picture)}});
      if (!png) return tl::unexpected(png.error());
      if (auto written = write_file(files_, path / picture.name, *png); !written) return written;
    }
    return {};
  }

 private:
  Files& files_;
};

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void append_setting(std::string& line, std::string_view title, const Json& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end() || found->is_null()) return;
  line += fmt::format("{}{}: {}", line.empty() ? "" : ", ", title, text_of(*found));
}

// Of the first pass, which is what WebUI calls the size; where that is not told, the picture's.
std::string first_size(const Picture& picture) {
  const Json& metadata = picture.metadata;
  if (metadata.contains("width") && metadata.contains("height"))
    return fmt::format("{}x{}", metadata["width"].dump(), metadata["height"].dump());
  return fmt::format("{}x{}", picture.pixels.shape()[1], picture.pixels.shape()[0]);
}

// In quotes, as WebUI writes a value that holds commas: "sks: 0.8, style: 1.0".
std::string lora_weights(const Json& loras) {
  std::string text;
  for (const Json& lora : loras) {
    text += text.empty() ? "" : ", ";
    if (lora.contains("name")) text += text_of(lora["name"]) + ": ";
    text += lora.at("weight").dump();
  }
  return Json(text).dump();
}

}  // namespace

std::string webui_parameters(const Picture& picture) {
  const Json& metadata = picture.metadata;
  std::string text = metadata.contains("prompt") ? text_of(metadata["prompt"]) : "";
  const std::string negative = metadata.contains("negative_prompt") ? text_of(metadata["negative_prompt"]) : "";
  if (!negative.empty()) text += "\nNegative prompt: " + negative;
  std::string settings;
  append_setting(settings, "Steps", metadata, "steps");
  append_setting(settings, "Sampler", metadata, "sampler");
  append_setting(settings, "Timestep spacing", metadata, "timestep_spacing");
  append_setting(settings, "CFG scale", metadata, "guidance");
  append_setting(settings, "CFG rescale", metadata, "guidance_rescale");
  append_setting(settings, "Seed", metadata, "seed");
  settings += fmt::format("{}Size: {}", settings.empty() ? "" : ", ", first_size(picture));
  append_setting(settings, "Clip skip", metadata, "clip_skip");
  append_setting(settings, "Denoising strength", metadata, "second_pass_strength");
  append_setting(settings, "Hires upscale", metadata, "second_pass_scale");
  append_setting(settings, "Hires steps", metadata, "second_pass_steps");
  append_setting(settings, "VAE tile", metadata, "vae_tile");
  if (metadata.contains("loras")) settings += ", Lora weights: " + lora_weights(metadata["loras"]);
  return text + "\n" + settings;
}

Artifact PictureSet::to_artifact() const {
  Artifact artifact;
  Json facts = Json::array();
  for (std::size_t i = 0; i < items.size(); ++i) {
    facts.push_back({{"name", items[i].name}, {"made_from", items[i].metadata}});
    artifact.tensors[item_tensor_name("pixels", i)] = items[i].pixels;
  }
  artifact.metadata = {{"type", "pictures"}, {"items", facts}};
  return artifact;
}

Expected<PictureSet> PictureSet::from(const Artifact& artifact) try {
  const auto facts = items_of(artifact, "pictures");
  if (!facts) return tl::unexpected(facts.error());
  PictureSet set;
  for (std::size_t i = 0; i < facts->size(); ++i) {
    auto pixels = item_tensor(artifact, "pixels", i, 3);
    if (!pixels) return tl::unexpected(pixels.error());
    const Json& fact = (*facts)[i];
    set.items.push_back({fact.at("name").get<std::string>(), std::move(*pixels), fact.at("made_from")});
  }
  return set;
} catch (const Json::exception& e) {
  return failure(fmt::format("the pictures artifact cannot be read: {}", e.what()), ErrorKind::fault);
}

std::shared_ptr<const PortType> make_pictures_type(Files& files) { return std::make_shared<PicturesType>(files); }

}  // namespace atelier
