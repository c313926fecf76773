#include "types/captions.h"

#include <fmt/format.h>

#include "types/item_tensors.h"

namespace atelier {
namespace {

class CaptionsType final : public PortType {
 public:
  explicit CaptionsType(Files& files) : files_(files) {}
  std::string_view name() const override { return "captions"; }
  std::string validate(const Artifact& artifact) const override {
    const auto set = CaptionSet::from(artifact);
    return set ? "" : set.error().message;
  }
  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    const auto set = CaptionSet::from(artifact);
    if (!set) return tl::unexpected(set.error());
    if (auto made = files_.make_folders(path); !made) return made;
    std::vector<std::string> names;
    for (const auto& caption : set->items) names.push_back(caption.name);
    const auto stems = file_stems(names);
    for (std::size_t i = 0; i < stems.size(); ++i) {
      const std::string text = set->items[i].text + "\n";
      auto written = write_file(files_, path / (stems[i] + ".txt"), std::string_view(text));
      if (!written) return written;
    }
    return {};
  }

 private:
  Files& files_;
};

}  // namespace

Artifact CaptionSet::to_artifact() const {
  auto facts = nlohmann::json::array();
  for (const auto& caption : items) facts.push_back({{"name", caption.name}, {"text", caption.text}});
  Artifact artifact;
  artifact.metadata = {{"type", "captions"}, {"items", facts}};
  return artifact;
}

Expected<CaptionSet> CaptionSet::from(const Artifact& artifact) try {
  const auto facts = items_of(artifact, "captions");
  if (!facts) return tl::unexpected(facts.error());
  CaptionSet set;
  for (const auto& fact : *facts)
    set.items.push_back({fact.at("name").get<std::string>(), fact.at("text").get<std::string>()});
  return set;
} catch (const nlohmann::json::exception& e) {
  return failure(fmt::format("the captions artifact cannot be read: {}", e.what()), ErrorKind::fault);
}

std::shared_ptr<const PortType> make_captions_type(Files& files) { return std::make_shared<CaptionsType>(files); }

}  // namespace atelier
