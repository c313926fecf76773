#include "types/dataset.h"

#include "types/json_fields.h"

namespace atelier {
namespace {

constexpr std::string_view kNoOutput =
    "a dataset stays in the cache and cannot be an output: give model, lora, pictures, images, masks or captions";

std::string item_prefix(std::size_t i) { return fmt::format("item/{:05}/", i); }

nlohmann::json entry_of(const DatasetItem& item) {
  return {{"name", item.name},        {"photo", item.photo.hex()},      {"caption", item.caption},
          {"weight", item.weight},    {"sizes", item.sizes.time_ids()}, {"repeats", item.repeats},
          {"mirrored", item.mirrored}};
}

// What an entry says of an item; its tensors are missing still.
Expected<DatasetItem> facts_of(const nlohmann::json& entry) {
  const auto name = field<std::string>(entry, "name", "dataset");
  const auto photo = digest_field(entry, "photo", "dataset");
  const auto caption = field<std::string>(entry, "caption", "dataset");
  const auto weight = field<double>(entry, "weight", "dataset");
  const auto sizes = field<std::array<std::int64_t, 6>>(entry, "sizes", "dataset");
  const auto repeats = field<std::int64_t>(entry, "repeats", "dataset");
  const auto mirrored = field<bool>(entry, "mirrored", "dataset");
  if (!name) return tl::unexpected(name.error());
  if (!photo) return tl::unexpected(photo.error());
  if (!caption) return tl::unexpected(caption.error());
  if (!weight) return tl::unexpected(weight.error());
  if (!sizes) return tl::unexpected(sizes.error());
  if (!repeats) return tl::unexpected(repeats.error());
  if (!mirrored) return tl::unexpected(mirrored.error());
  if (*repeats < 1) return malformed(fmt::format("dataset: the repeats of '{}' must be positive", *name));
  DatasetItem item;
  item.name = *name;
  item.photo = *photo;
  item.caption = *caption;
  item.weight = *weight;
  item.sizes = PhotoSizes::of(*sizes);
  item.repeats = *repeats;
  item.mirrored = *mirrored;
  return item;
}

Expected<DatasetItem> item_of(const Artifact& artifact, const nlohmann::json& entry, std::size_t i) {
  auto item = facts_of(entry);
  if (!item) return item;
  const auto tensor = [&](const char* what, std::size_t dimensions) {
    return tensor_field(artifact, item_prefix(i) + what, dimensions, "dataset");
  };
  auto mean = tensor("mean", 3), deviation = tensor("deviation", 3), mask = tensor("mask", 2);
  for (const auto* one : {&mean, &deviation, &mask})
    if (!*one) return tl::unexpected(one->error());
  if (artifact.tensors.contains(item_prefix(i) + "validity")) {
    auto validity = tensor("validity", 2);
    if (!validity) return tl::unexpected(validity.error());
    item->validity = std::move(*validity);
  }
  const Tensor::Shape grid = mean->shape(), plane{grid[1], grid[2]};
  if (deviation->shape() != grid || mask->shape() != plane || (item->validity && item->validity->shape() != plane))
    return malformed(fmt::format("dataset: the tensors of '{}' differ in size", item->name));
  item->mean = std::move(*mean);
  item->deviation = std::move(*deviation);
  item->mask = std::move(*mask);
  return item;
}

Expected<void> read_items(const Artifact& artifact, Dataset& dataset) {
  const auto entries = field<std::vector<nlohmann::json>>(artifact.metadata, "items", "dataset");
  if (!entries) return tl::unexpected(entries.error());
  for (std::size_t i = 0; i < entries->size(); ++i) {
    auto item = item_of(artifact, (*entries)[i], i);
    if (!item) return tl::unexpected(item.error());
    if (!dataset.texts.empty() && !dataset.texts.contains(item->caption))
      return malformed(fmt::format("dataset: the caption of '{}' has no hidden states", item->name));
    dataset.items.push_back(std::move(*item));
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
  auto entries = nlohmann::json::array();
  for (const auto& item : items) {
    const auto prefix = item_prefix(entries.size());
    artifact.tensors[prefix + "mean"] = item.mean;
    artifact.tensors[prefix + "deviation"] = item.deviation;
    artifact.tensors[prefix + "mask"] = item.mask;
    if (item.validity) artifact.tensors[prefix + "validity"] = *item.validity;
    entries.push_back(entry_of(item));
  }
  artifact.metadata = {{"items", std::move(entries)}, {"repeats", repeats}, {"share", share}, {"customer", customer}};
  put_texts(texts, text_settings, artifact);
  return artifact;
}

Expected<Dataset> Dataset::from(const Artifact& artifact) {
  const auto rounds = field<std::int64_t>(artifact.metadata, "repeats", "dataset");
  const auto part = field<double>(artifact.metadata, "share", "dataset");
  const auto own = field<bool>(artifact.metadata, "customer", "dataset");
  if (!rounds) return tl::unexpected(rounds.error());
  if (!part) return tl::unexpected(part.error());
  if (!own) return tl::unexpected(own.error());
  auto texts = texts_of(artifact, "dataset");
  if (!texts) return tl::unexpected(texts.error());
  const auto settings = text_settings_of(artifact, "dataset");
  if (!settings) return tl::unexpected(settings.error());
  Dataset dataset{{}, std::move(*texts), *rounds, *part, *own, *settings};
  if (auto read = read_items(artifact, dataset); !read) return tl::unexpected(read.error());
  if (dataset.items.empty()) return malformed("dataset: it holds no photo");
  if (dataset.repeats < 1 || !(dataset.share > 0)) return malformed("dataset: repeats and share must be positive");
  return dataset;
}

std::shared_ptr<const PortType> make_dataset_type() { return std::make_shared<DatasetType>(); }

}  // namespace atelier
