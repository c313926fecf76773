#include "artifact/shown.h"

#include <algorithm>

namespace atelier {
namespace {

constexpr const char* port = "shown";

using Json = nlohmann::json;

std::optional<std::span<const std::byte>> part_of(const Artifact& artifact, const char* name) {
  const auto found = artifact.tensors.find(name);
  if (found == artifact.tensors.end()) return std::nullopt;
  return found->second.bytes();
}

template <class T>
std::optional<std::vector<T>> values_of(const Artifact& artifact, const char* name) {
  const auto found = artifact.tensors.find(name);
  if (found == artifact.tensors.end() || found->second.dtype() != DTypeOf<T>::value) return std::nullopt;
  const auto values = found->second.values<T>();
  return std::vector<T>(values.begin(), values.end());
}

}  // namespace

void Shown::show(Preview preview) {
  const auto same = std::ranges::find(previews, preview.name, &Preview::name);
  if (same != previews.end())
    *same = std::move(preview);
  else
    previews.push_back(std::move(preview));
}

const Preview* Shown::find(const std::string& name) const {
  const auto found = std::ranges::find(previews, name, &Preview::name);
  return found == previews.end() ? nullptr : &*found;
}

Artifact Shown::to_artifact() const {
  std::vector<std::uint8_t> bytes;
  Json pictures = Json::array(), lines = Json::array();
  for (const auto& preview : previews) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(preview.png.data());
    bytes.insert(bytes.end(), first, first + preview.png.size());
    pictures.push_back({{"name", preview.name}, {"digest", preview.digest.hex()}, {"bytes", preview.png.size()}});
  }
  std::vector<std::int64_t> steps;
  std::vector<double> values;
  for (const auto& [name, curve] : curves) {
    lines.push_back({{"name", name}, {"points", curve.size()}});
    for (const auto& [step, value] : curve) {
      steps.push_back(step);
      values.push_back(value);
    }
  }
  Artifact artifact;
  artifact.metadata = {{"previews", std::move(pictures)}, {"curves", std::move(lines)}};
  const auto length = static_cast<std::int64_t>(bytes.size()), points = static_cast<std::int64_t>(steps.size());
  artifact.tensors["png"] = Tensor::of({length}, std::move(bytes));
  artifact.tensors["steps"] = Tensor::of({points}, std::move(steps));
  artifact.tensors["values"] = Tensor::of({points}, std::move(values));
  return artifact;
}

std::optional<Shown> Shown::from(const Artifact& artifact) try {
  const auto png = part_of(artifact, "png");
  const auto steps = values_of<std::int64_t>(artifact, "steps");
  const auto values = values_of<double>(artifact, "values");
  if (!png || !steps || !values || steps->size() != values->size()) return std::nullopt;
  Shown shown;
  std::size_t at = 0;
  for (const auto& one : artifact.metadata.at("previews")) {
    const auto size = one.at("bytes").get<std::size_t>();
    const auto digest = Digest::from_hex(one.at("digest").get<std::string>());
    if (!digest || size > png->size() - at) return std::nullopt;
    const auto bytes = png->subspan(at, size);
    shown.previews.push_back({one.at("name").get<std::string>(), *digest, {bytes.begin(), bytes.end()}});
    at += size;
  }
  std::size_t point = 0;
  for (const auto& one : artifact.metadata.at("curves")) {
    const auto points = one.at("points").get<std::size_t>();
    if (points > steps->size() - point) return std::nullopt;
    Curve& curve = shown.curves[one.at("name").get<std::string>()];
    for (const std::size_t end = point + points; point < end; ++point) curve[(*steps)[point]] = (*values)[point];
  }
  return shown;
} catch (const Json::exception&) {
  return std::nullopt;
}

Digest shown_key(const Digest& key) {
  Encoder encoder;
  return encoder.text("atelier shown").digest(key).finish();
}

Expected<void> put_shown(Store& store, const Digest& key, const Artifact& shown) {
  return store.put(shown_key(key), {{port, shown}}, Json{{"of", key.hex()}});
}

std::optional<Shown> get_shown(Store& store, const Digest& key) {
  if (!store.has(shown_key(key))) return std::nullopt;
  const auto outputs = store.get(shown_key(key));
  if (!outputs) return std::nullopt;
  const auto found = outputs->find(port);
  return found == outputs->end() ? std::nullopt : Shown::from(found->second);
}

}  // namespace atelier
