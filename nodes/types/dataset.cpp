#include "types/dataset.h"

#include "types/json_fields.h"

namespace atelier {
namespace {

constexpr std::string_view kNoOutput =
    "a dataset stays in the cache and cannot be an output: give model, lora, pictures, images, masks or captions";

std::string item_prefix(std::size_t i) { return fmt::format("item/{:05}/", i); }
std::string text_name(std::size_t i) { return fmt::format("text/{:05}", i); }

nlohmann::json entry_of(const DatasetItem& item) {
  return {{"name", item.name}, {"photo", item.photo.hex()}, {"caption", item.caption}, {"weight", item.weight}};
}

Expected<DatasetItem> item_of(const Artifact& artifact, const nlohmann::json& entry, std::size_t i) {
  const auto name = field<std::string>(entry, "name", "dataset");
  const auto photo = digest_field(entry, "photo", "dataset");
  const auto caption = field<std::string>(entry, "caption", "dataset");
  const auto weight = field<double>(entry, "weight", "dataset");
  const auto mean = tensor_field(artifact, item_prefix(i) + "mean", 3, "dataset");
  const auto deviation = tensor_field(artifact, item_prefix(i) + "deviation", 3, "dataset");
  const auto mask = tensor_field(artifact, item_prefix(i) + "mask", 2, "dataset");
  if (!name) return tl::unexpected(name.error());
  if (!photo) return tl::unexpected(photo.error());
  if (!caption) return tl::unexpected(caption.error());
  if (!weight) return tl::unexpected(weight.error());
  for (const auto* tensor : {&mean, &deviation, &mask})
    if (!*tensor) return tl::unexpected(tensor->error());
  const auto& grid = mean->shape();
  if (deviation->shape() != grid || mask->shape() != Tensor::Shape{grid[1], grid[2]})
    return malformed(fmt::format("dataset: the tensors of '{}' differ in size", *name));
  return DatasetItem{*name, *photo, *mean, *deviation, *mask, *caption, *weight};
}

Expected<void> read_items(const Artifact& artifact, Dataset& dataset) {
  const auto entries = field<std::vector<nlohmann::json>>(artifact.metadata, "items", "dataset");
  if (!entries) return tl::unexpected(entries.error());
  for (std::size_t i = 0; i < entries->size(); ++i) {
    auto item = item_of(artifact, (*entries)[i], i);
    if (!item) return tl::unexpected(item.error());
    if (!dataset.texts.contains(item->caption))
      return malformed(fmt::format("dataset: the caption of '{}' has no hidden states", item->name));
    dataset.items.push_back(std::move(*item));
  }
  return {};
}

Expected<void> read_texts(const Artifact& artifact, Dataset& dataset) {
  const auto texts = field<std::vector<std::string>>(artifact.metadata, "texts", "dataset");
  if (!texts) return tl::unexpected(texts.error());
  for (std::size_t i = 0; i < texts->size(); ++i) {
    auto states = tensor_field(artifact, text_name(i), 2, "dataset");
    if (!states) return tl::unexpected(states.error());
    dataset.texts[(*texts)[i]] = std::move(*states);
  }
  return {};
}

class DatasetType final : public PortType {
 public:
  std::string_view name() const override { return "dataset"; }
  std::string validate(const Artifact& artifact) const override {
    const auto view = Dataset::from(artifact);
    return view ? std::string() : view.error().message;
  }
  std::string check_output_path(std::string_view) const override { return std::string(kNoOutput); }
  Expected<void> write(const Artifact&, const std::filesystem::path&, std::string_view) const override {
    return failure(std::string(kNoOutput));
  }
};

}  // namespace

Artifact Dataset::to_artifact() const {
  Artifact artifact;
  auto entries = nlohmann::json::array(), captions = nlohmann::json::array();
  for (const auto& item : items) {
    const auto prefix = item_prefix(entries.size());
    artifact.tensors[prefix + "mean"] = item.mean;
    artifact.tensors[prefix + "deviation"] = item.deviation;
    artifact.tensors[prefix + "mask"] = item.mask;
    entries.push_back(entry_of(item));
  }
  for (const auto& [caption, states] : texts) {
    artifact.tensors[text_name(captions.size())] = states;
    captions.push_back(caption);
  }
  artifact.metadata = {{"items", std::move(entries)},
                       {"texts", std::move(captions)},
                       {"repeats", repeats},
                       {"share", share},
                       {"customer", customer}};
  return artifact;
}

Expected<Dataset> Dataset::from(const Artifact& artifact) {
  const auto rounds = field<std::int64_t>(artifact.metadata, "repeats", "dataset");
  const auto part = field<double>(artifact.metadata, "share", "dataset");
  const auto own = field<bool>(artifact.metadata, "customer", "dataset");
  if (!rounds) return tl::unexpected(rounds.error());
  if (!part) return tl::unexpected(part.error());
  if (!own) return tl::unexpected(own.error());
  Dataset dataset{{}, {}, *rounds, *part, *own};
  if (auto read = read_texts(artifact, dataset); !read) return tl::unexpected(read.error());
  if (auto read = read_items(artifact, dataset); !read) return tl::unexpected(read.error());
  if (dataset.items.empty()) return malformed("dataset: it holds no photo");
  if (dataset.repeats < 1 || !(dataset.share > 0)) return malformed("dataset: repeats and share must be positive");
  return dataset;
}

std::shared_ptr<const PortType> make_dataset_type() { return std::make_shared<DatasetType>(); }

}  // namespace atelier
