// A diffusers folder.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "diffusion/config_json.h"
#include "diffusion/json_reader.h"
#include "diffusion/model_write_parts.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
  return {};
}

Result<void> copy_into(const fs::path& from, const fs::path& to) {
  if (auto made = make_folder(to.parent_path()); !made) return made;
  return copy_bytes(from, to);
}

/// The base's index without the parts that are left out.
Result<void> write_index(const fs::path& from, const fs::path& to) {
  auto index = read_json_object(from);
  if (!index) return tl::unexpected(index.error());
  constexpr std::array<const char*, 3> kLeftOut{"safety_checker", "feature_extractor", "image_encoder"};
  bool changed = false;
  for (const char* part : kLeftOut) {
    const nlohmann::json none = {nullptr, nullptr};
    if (!index->contains(part) || (*index)[part] == none) continue;
    (*index)[part] = none;
    changed = true;
  }
  if (!changed) return copy_bytes(from, to);
  if (index->contains("requires_safety_checker")) (*index)["requires_safety_checker"] = false;
  return write_json(to, *index);
}

/// The scheduler's file, with the prediction type that the base was opened with.
Result<void> write_scheduler(const BaseModel& base, const fs::path& from, const fs::path& to) {
  if (!base.options().prediction_type) return copy_into(from, to);
  auto json = read_json_object(from);
  if (!json) return tl::unexpected(json.error());
  (*json)["prediction_type"] = scheduler_json(base.scheduler_config())["prediction_type"];
  return write_json(to, *json);
}

std::string torch_dtype_name(const std::string& file_dtype, std::optional<at::ScalarType> dtype) {
  if (dtype == at::kHalf || (!dtype && file_dtype == "F16")) return "float16";
  if (dtype == at::kBFloat16 || (!dtype && file_dtype == "BF16")) return "bfloat16";
  return "float32";
}

/// A configuration; transformers loads a text encoder in the dtype that its says.
Result<void> write_config(const fs::path& from, const fs::path& to, std::optional<at::ScalarType> dtype) {
  const bool text = from.parent_path().filename().string().starts_with("text_encoder");
  if (!dtype || !text) return copy_into(from, to);
  auto json = read_json_object(from);
  if (!json) return tl::unexpected(json.error());
  for (const char* key : {"dtype", "torch_dtype"}) {
    if (json->contains(key)) (*json)[key] = torch_dtype_name("", dtype);
  }
  return write_json(to, *json);
}

/// The name under which diffusers looks for weights when it is told no variant.
std::string without_variant(std::string name) {
  for (const std::string& variant : {std::string(".fp16")}) {
    if (const auto at = name.find(variant); at != std::string::npos) name.erase(at, variant.size());
  }
  return name;
}

/// One file of a part: the base's bytes, or its tensors with the changed ones in their places.
Result<void> write_weight_file(const fs::path& from, const WeightMap& weights, const std::vector<WeightPlace>& places,
                               const WeightChanges& changes, const fs::path& to, const WriteOptions& options) {
  if (changes.empty() && !options.dtype) return copy_into(from, to);
  const auto file = Safetensors::open(from);
  if (!file) return tl::unexpected(file.error());
  auto tensors = file->tensors();
  if (!tensors) return tl::unexpected(tensors.error());
  if (auto made = make_folder(to.parent_path()); !made) return made;
  Metadata metadata = file->metadata();
  for (const auto& [key, value] : options.metadata) metadata[key] = value;
  auto changed = plan_places(weights, places, changes, options.dtype, PlacesWritten::changed);
  return stream_safetensors(
      to, plan_rewritten(*std::move(tensors), std::move(changed), [&](const std::string&) { return options.dtype; }),
      metadata, options.late);
}

uint64_t bytes_of_tensors(const fs::path& path) {
  const auto file = Safetensors::open(path);
  if (!file) return 0;
  uint64_t bytes = 0;
  for (const auto& [key, entry] : file->entries()) bytes += entry.end - entry.begin;
  return bytes;
}

/// An index for shards that have new names or sizes.
Result<void> write_shard_index(const fs::path& from, const std::vector<fs::path>& shards, const fs::path& to) {
  auto index = read_json_object(from);
  if (!index) return tl::unexpected(index.error());
  for (auto& [weight, file] : (*index)["weight_map"].items()) file = without_variant(file.get<std::string>());
  uint64_t bytes = 0;
  for (const fs::path& shard : shards) bytes += bytes_of_tensors(shard);
  (*index)["metadata"]["total_size"] = bytes;
  return write_json(to, *index);
}

Result<void> write_part(const BaseModel& base, ModelPart part, const WeightChanges& changes, const fs::path& folder,
                        const WriteOptions& options) {
  const StoredPart& stored = base.stored(part);
  const auto weights = changes.empty() ? Result<WeightMap>() : base.weights(part, Finiteness::unchecked);
  if (!weights) return tl::unexpected(weights.error());
  std::vector<fs::path> written;
  bool renamed = false;
  for (const fs::path& file : stored.files) {
    written.push_back(folder / without_variant(file.filename().string()));
    renamed = renamed || written.back().filename() != file.filename();
    if (auto ok = write_weight_file(file, *weights, stored.places, changes, written.back(), options); !ok) return ok;
  }
  if (stored.index.empty()) return {};
  const fs::path index = folder / without_variant(stored.index.filename().string());
  return renamed || options.dtype ? write_shard_index(stored.index, written, index) : copy_into(stored.index, index);
}

/// From a folder: its files, but for what is changed.
Result<void> write_from_folder(const BaseModel& base, const ModelChanges& changes, const fs::path& folder,
                               const WriteOptions& options) {
  std::set<fs::path> weights;
  for (const ModelPart part : base.parts()) {
    const StoredPart& stored = base.stored(part);
    weights.insert(stored.files.begin(), stored.files.end());
    weights.insert(stored.index);
    auto ok = write_part(base, part, changes_of(changes, part), folder / folder_name(part), options);
    if (!ok) return ok;
  }
  for (const fs::path& file : base.files()) {
    if (weights.contains(base.path() / file)) continue;
    Result<void> done;
    const fs::path own = base.config_folder() / file;  // other configurations may have been given
    const fs::path from = fs::exists(own) ? own : base.path() / file;
    if (file == "model_index.json") {
      done = write_index(from, folder / file);
    } else if (file.parent_path() == "scheduler") {
      done = write_scheduler(base, from, folder / file);
    } else if (file.filename() == "config.json") {
      done = write_config(from, folder / file, options.dtype);
    } else {
      done = copy_into(from, folder / file);
    }
    if (!done) return done;
  }
  return {};
}

/// Configurations that were given are copied, the others made from what was read off the weights.
Result<void> write_configs(const BaseModel& base, const fs::path& folder, const WriteOptions& options) {
  const fs::path given = base.config_folder();
  std::vector<std::pair<fs::path, nlohmann::json>> files;
  const int64_t side = base.unet_config().sample_size * base.vae_config().downscale();
  files.emplace_back("unet/config.json", unet_json(base.unet_config()));
  files.emplace_back("vae/config.json", vae_json(base.vae_config(), side));
  for (std::size_t i = 0; i < base.text_configs().size(); ++i) {
    const ModelPart part = i == 0 ? ModelPart::text_encoder : ModelPart::text_encoder_2;
    files.emplace_back(folder_name(part) + "/config.json",
                       text_json(base.text_configs()[i], torch_dtype_name(base.stored(part).dtype, options.dtype)));
  }
  for (const auto& [file, json] : files) {
    auto ok =
        given.empty() ? write_json(folder / file, json) : write_config(given / file, folder / file, options.dtype);
    if (!ok) return ok;
  }
  if (given.empty()) {
    auto ok = write_json(folder / "scheduler/scheduler_config.json", scheduler_json(base.scheduler_config()));
    return ok ? write_json(folder / "model_index.json", model_index_json(base.architecture())) : ok;
  }
  auto ok =
      write_scheduler(base, given / "scheduler/scheduler_config.json", folder / "scheduler/scheduler_config.json");
  return ok ? write_index(given / "model_index.json", folder / "model_index.json") : ok;
}

/// The encoder's tokenizer. Files that ship pad as CLIP does; OpenCLIP's token of id 0 is "!".
Result<void> write_tokenizer(const BaseModel& base, std::size_t encoder, const fs::path& to) {
  const fs::path from = base.tokenizer_folder(encoder);
  if (from.empty()) {
    return fail(fmt::format("{}: holds no tokenizer, and none was given beside it", base.path().string()));
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(from, error)) {
    const auto extension = entry.path().extension();
    if (!entry.is_regular_file() || (extension != ".json" && extension != ".txt")) continue;
    if (auto ok = copy_into(entry.path(), to / entry.path().filename()); !ok) return ok;
  }
  if (error) return fail(fmt::format("{}: cannot be read: {}", from.string(), error.message()));
  const bool open_clip = base.architecture() == Architecture::sd2 || encoder == 1;
  if (!open_clip || !base.config_folder().empty()) return {};
  auto config = read_json_object(to / "tokenizer_config.json");
  if (!config) return tl::unexpected(config.error());
  (*config)["pad_token"] = "!";
  return write_json(to / "tokenizer_config.json", *config);
}

/// From a single file: each part under diffusers' names.
Result<void> write_from_file(const BaseModel& base, const ModelChanges& changes, const fs::path& folder,
                             const WriteOptions& options) {
  for (const ModelPart part : base.parts()) {
    const auto weights = base.weights(part);
    if (!weights) return tl::unexpected(weights.error());
    std::vector<WeightPlace> places;
    for (const auto& [name, tensor] : *weights) places.push_back({.name = name, .key = name});
    Metadata metadata = options.metadata;
    metadata["format"] = "pt";
    const bool text = part == ModelPart::text_encoder || part == ModelPart::text_encoder_2;
    const fs::path to =
        folder / folder_name(part) / (text ? "model.safetensors" : "diffusion_pytorch_model.safetensors");
    auto ok = make_folder(to.parent_path());
    if (ok)
      ok = stream_safetensors(to, plan_places(*weights, places, changes_of(changes, part), options.dtype), metadata,
                              options.late);
    if (!ok) return ok;
  }
  for (std::size_t i = 0; i < base.text_configs().size(); ++i) {
    if (auto ok = write_tokenizer(base, i, folder / (i == 0 ? "tokenizer" : "tokenizer_2")); !ok) return ok;
  }
  return write_configs(base, folder, options);
}

}  // namespace

Result<void> write_json(const fs::path& path, const nlohmann::json& json) {
  if (auto made = make_folder(path.parent_path()); !made) return made;
  std::ofstream file(path, std::ios::binary);
  file << json.dump(2) << '\n';
  file.close();
  if (!file) return fail(fmt::format("{}: cannot be written", path.string()));
  return {};
}

Result<void> copy_bytes(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error) return fail(fmt::format("{}: cannot be copied to {}: {}", from.string(), to.string(), error.message()));
  return {};
}

Result<void> write_folder(const BaseModel& base, const ModelChanges& changes, const fs::path& folder,
                          const WriteOptions& options) {
  if (auto made = make_folder(folder); !made) return made;
  std::error_code error;
  if (!fs::is_empty(folder, error)) return fail(fmt::format("{}: is not empty", folder.string()));
  return base.layout() == ModelLayout::diffusers_folder ? write_from_folder(base, changes, folder, options)
                                                        : write_from_file(base, changes, folder, options);
}

}  // namespace atelier::diffusion
