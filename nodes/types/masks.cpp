#include "types/masks.h"

#include <fmt/format.h>

#include "types/item_tensors.h"
#include "types/png_folder.h"

namespace atelier {
namespace {

class MasksType final : public PortType {
 public:
  explicit MasksType(Files& files) : files_(files) {}
  std::string_view name() const override { return "masks"; }
  std::string validate(const Artifact& artifact) const override {
    const auto set = MaskSet::from(artifact);
    return set ? "" : set.error().message;
  }
  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    const auto set = MaskSet::from(artifact);
    if (!set) return tl::unexpected(set.error());
    std::vector<NamedPixels> pictures;
    for (const auto& mask : set->items) pictures.push_back({mask.name, mask.mask});
    return write_png_folder(files_, path, pictures);
  }

 private:
  Files& files_;
};

}  // namespace

double Mask::share() const {
  std::uint64_t sum = 0;
  for (const auto value : mask.values<std::uint8_t>()) sum += value;
  return static_cast<double>(sum) / (255.0 * static_cast<double>(mask.elements()));
}

Artifact MaskSet::to_artifact() const {
  Artifact artifact;
  auto facts = nlohmann::json::array();
  for (std::size_t i = 0; i < items.size(); ++i) {
    facts.push_back({{"name", items[i].name}});
    artifact.tensors[item_tensor_name("mask", i)] = items[i].mask;
  }
  artifact.metadata = {{"type", "masks"}, {"items", facts}};
  return artifact;
}

Expected<MaskSet> MaskSet::from(const Artifact& artifact) try {
  const auto facts = items_of(artifact, "masks");
  if (!facts) return tl::unexpected(facts.error());
  MaskSet set;
  for (std::size_t i = 0; i < facts->size(); ++i) {
    auto mask = item_tensor(artifact, "mask", i, 0);
    if (!mask) return tl::unexpected(mask.error());
    set.items.push_back({(*facts)[i].at("name").get<std::string>(), std::move(*mask)});
  }
  return set;
} catch (const nlohmann::json::exception& e) {
  return failure(fmt::format("the masks artifact cannot be read: {}", e.what()), ErrorKind::fault);
}

std::shared_ptr<const PortType> make_masks_type(Files& files) { return std::make_shared<MasksType>(files); }

}  // namespace atelier
