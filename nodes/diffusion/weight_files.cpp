#include "diffusion/weight_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "diffusion/finite.h"
#include "diffusion/json_reader.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

Result<WeightFiles> open_one(const fs::path& path) {
  auto file = Safetensors::open(path);
  if (!file) return tl::unexpected(file.error());
  return WeightFiles{{std::move(*file)}};
}

/// "WEIGHT: FILE" of an index, checked to be a file beside it.
Result<std::map<std::string, std::string>> read_index(const fs::path& path) {
  auto index = read_json_object(path);
  if (!index) return tl::unexpected(index.error());
  const auto map = index->find("weight_map");
  if (map == index->end() || !map->is_object() || map->empty()) {
    return fail(fmt::format("{}: is no index of weights: it has no weight_map", path.string()));
  }
  std::map<std::string, std::string> files;
  for (const auto& [weight, file] : map->items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (name.empty() || fs::path(name).filename() != name || name == "." || name == "..") {
      return fail(fmt::format("{}: weight '{}' is said to be in {}, expected the name of a file beside the index",
                              path.string(), weight, file.dump()));
    }
    files[weight] = name;
  }
  return files;
}

Result<WeightFiles> open_shards(const fs::path& index) {
  const auto weights = read_index(index);
  if (!weights) return tl::unexpected(weights.error());
  std::map<std::string, Safetensors> shards;
  for (const auto& [weight, name] : *weights) {
    auto shard = shards.find(name);
    if (shard == shards.end()) {
      auto file = Safetensors::open(index.parent_path() / name);
      if (!file) return tl::unexpected(file.error());
      shard = shards.emplace(name, std::move(*file)).first;
    }
    if (!shard->second.entries().contains(weight)) {
      return fail(fmt::format("{}: has no weight '{}', which {} says it holds", shard->second.path().string(), weight,
                              index.filename().string()));
    }
  }
  WeightFiles files;
  files.index = index;
  for (auto& [name, shard] : shards) files.files.push_back(std::move(shard));
  return files;
}

/// The first file that has the key.
const TensorEntry* entry_of(const WeightFiles& files, const std::string& key) {
  for (const Safetensors& file : files.files) {
    if (const auto found = file.entries().find(key); found != file.entries().end()) return &found->second;
  }
  return nullptr;
}

uint64_t elements(const TensorEntry& entry, StoredForm form) {
  uint64_t count = 1;
  for (const int64_t side : entry.shape) count *= static_cast<uint64_t>(side);
  return is_packed(form) ? count / 3 : count;
}

/// Packed rows that do not come in three equal parts are no queries, keys and values.
bool fits(const TensorEntry& entry, StoredForm form) {
  if (form == StoredForm::pointwise) return entry.shape.size() >= 2;
  if (form == StoredForm::transposed) return entry.shape.size() == 2;
  return !is_packed(form) || (!entry.shape.empty() && entry.shape[0] % 3 == 0);
}

}  // namespace

std::string WeightFiles::name() const { return index.empty() ? files.front().path().string() : index.string(); }

Result<WeightFiles> open_weights(const fs::path& folder) {
  const bool text = folder.filename().string().starts_with("text_encoder");
  const std::string stem = text ? "model" : "diffusion_pytorch_model";
  const fs::path plain = folder / (stem + ".safetensors");
  for (const auto& [one, index] : {std::pair{".safetensors", ".safetensors.index.json"},
                                   std::pair{".fp16.safetensors", ".safetensors.index.fp16.json"}}) {
    if (fs::is_regular_file(folder / (stem + one))) return open_one(folder / (stem + one));
    if (fs::is_regular_file(folder / (stem + index))) return open_shards(folder / (stem + index));
  }
  for (const std::string& pickle : {stem + ".bin", std::string("pytorch_model.bin")}) {
    if (!fs::exists(folder / pickle)) continue;
    if (auto refused = refuse_pickle(folder / pickle); !refused) return tl::unexpected(refused.error());
  }
  return fail(fmt::format("{}: is missing", plain.string()));
}

Result<StoredPart> find_weights(const WeightFiles& files, std::vector<WeightPlace> wanted, const std::string& prefix,
                                std::set<std::string>& used) {
  StoredPart part;
  for (const Safetensors& file : files.files) part.files.push_back(file.path());
  part.index = files.index;
  std::vector<std::string> missing;
  std::map<std::string, uint64_t> of_dtype;
  for (WeightPlace& place : wanted) {
    std::vector<std::string> keys{place.key};
    keys.insert(keys.end(), place.others.begin(), place.others.end());
    const auto found =
        std::ranges::find_if(keys, [&](const std::string& key) { return entry_of(files, prefix + key) != nullptr; });
    if (found == keys.end()) {
      if (missing.empty() || missing.back() != prefix + place.key) missing.push_back(prefix + place.key);
      continue;
    }
    place.key = prefix + *found;
    place.others.clear();
    const TensorEntry& entry = *entry_of(files, place.key);
    if (!fits(entry, place.form)) {
      return fail(fmt::format("{}: weight '{}' is {}, which cannot be '{}'", files.name(), place.key,
                              shape_text(entry.shape), place.name));
    }
    used.insert(place.key);
    const uint64_t count = elements(entry, place.form);
    part.parameters += count;
    of_dtype[entry.dtype] += count;
    part.places.push_back(std::move(place));
  }
  if (!missing.empty()) return fail(missing_weights(files.name(), missing));
  part.dtype = std::ranges::max_element(of_dtype, {}, [](const auto& item) { return item.second; })->first;
  return part;
}

Result<WeightMap> read_weights(const StoredPart& part, Finiteness finiteness) {
  std::vector<Safetensors> files;
  for (const fs::path& path : part.files) {
    auto file = Safetensors::open(path);
    if (!file) return tl::unexpected(file.error());
    files.push_back(std::move(*file));
  }
  WeightMap weights;
  for (const WeightPlace& place : part.places) {
    const auto file =
        std::ranges::find_if(files, [&](const Safetensors& one) { return one.entries().contains(place.key); });
    if (file == files.end()) {
      return fail(fmt::format("{}: weight '{}' is gone; the file was changed", part.files.front().string(), place.key));
    }
    auto stored = file->tensor(place.key);
    if (!stored) return tl::unexpected(stored.error());
    weights[place.name] = as_named(*stored, place);
  }
  if (finiteness == Finiteness::unchecked) return weights;
  if (auto ok = check_finite(weights, part.name()); !ok) return tl::unexpected(ok.error());
  return weights;
}

}  // namespace atelier::diffusion
