#include "types/images.h"

#include <fmt/format.h>

#include "types/item_tensors.h"
#include "types/png.h"
#include "types/png_folder.h"

namespace atelier {
namespace {

using Json = nlohmann::json;

void put(Json& json, const char* key, const std::optional<std::string>& text) {
  if (text) json[key] = *text;
}

std::optional<std::string> text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() ? std::nullopt : std::optional(found->get<std::string>());
}

Json facts_of(const Image& image) {
  Json json = {{"name", image.name},
               {"photo", image.photo.hex()},
               {"original", {image.original_width, image.original_height}},
               {"crop", {image.crop_left, image.crop_top}}};
  if (image.face) json["face"] = to_json(*image.face);
  put(json, "text", image.text);
  put(json, "portrait_text", image.portrait_text);
  put(json, "background_text", image.background_text);
  if (image.repeats != 1) json["repeats"] = image.repeats;
  if (image.mirrored) json["mirrored"] = true;
  return json;
}

Image image_from(const Json& json) {
  Image image;
  image.name = json.at("name").get<std::string>();
  image.photo = Digest::from_hex(json.at("photo").get<std::string>()).value_or(Digest{});
  image.original_width = json.at("original").at(0).get<std::int64_t>();
  image.original_height = json.at("original").at(1).get<std::int64_t>();
  image.crop_left = json.at("crop").at(0).get<std::int64_t>();
  image.crop_top = json.at("crop").at(1).get<std::int64_t>();
  if (json.contains("face")) image.face = face_from_json(json.at("face"));
  image.text = text_at(json, "text");
  image.portrait_text = text_at(json, "portrait_text");
  image.background_text = text_at(json, "background_text");
  image.repeats = json.value("repeats", std::int64_t{1});
  image.mirrored = json.value("mirrored", false);
  return image;
}

Expected<Image> with_tensors(Image image, const Artifact& artifact, std::size_t index) {
  auto pixels = item_tensor(artifact, "pixels", index, 3);
  if (!pixels) return tl::unexpected(pixels.error());
  image.pixels = std::move(*pixels);
  if (!artifact.tensors.contains(item_tensor_name("valid", index))) return image;
  auto valid = item_tensor(artifact, "valid", index, 0);
  if (!valid) return tl::unexpected(valid.error());
  image.valid = std::move(*valid);
  if (image.valid->shape()[0] == image.height() && image.valid->shape()[1] == image.width()) return image;
  return failure(fmt::format("{}: the validity mask is not of the image's size", image.name), ErrorKind::fault);
}

class ImagesType final : public PortType {
 public:
  explicit ImagesType(Files& files) : files_(files) {}
  std::string_view name() const override { return "images"; }
  std::string validate(const Artifact& artifact) const override {
    const auto set = ImageSet::from(artifact);
    return set ? "" : set.error().message;
  }
  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    const auto set = ImageSet::from(artifact);
    if (!set) return tl::unexpected(set.error());
    std::vector<NamedPixels> pictures;
    for (const auto& image : set->items) pictures.push_back({image.name, image.pixels});
    return write_png_folder(files_, path, pictures);
  }

 private:
  Files& files_;
};

}  // namespace

Digest mirrored_photo(const Digest& photo) { return Encoder().text("mirrored photo").digest(photo).finish(); }

Artifact ImageSet::to_artifact() const {
  Artifact artifact;
  Json facts = Json::array();
  for (std::size_t i = 0; i < items.size(); ++i) {
    facts.push_back(facts_of(items[i]));
    artifact.tensors[item_tensor_name("pixels", i)] = items[i].pixels;
    if (items[i].valid) artifact.tensors[item_tensor_name("valid", i)] = *items[i].valid;
  }
  artifact.metadata = {{"type", "images"}, {"items", facts}};
  return artifact;
}

Expected<ImageSet> ImageSet::from(const Artifact& artifact) try {
  const auto facts = items_of(artifact, "images");
  if (!facts) return tl::unexpected(facts.error());
  ImageSet set;
  for (std::size_t i = 0; i < facts->size(); ++i) {
    auto image = with_tensors(image_from((*facts)[i]), artifact, i);
    if (!image) return tl::unexpected(image.error());
    set.items.push_back(std::move(*image));
  }
  return set;
} catch (const Json::exception& e) {
  return failure(fmt::format("the images artifact cannot be read: {}", e.what()), ErrorKind::fault);
}

std::shared_ptr<const PortType> make_images_type(Files& files) { return std::make_shared<ImagesType>(files); }

}  // namespace atelier
