#include "diffusion/lora_files.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "diffusion/finite.h"
#include "diffusion/layer_tasks.h"
#include "diffusion/lora_operations.h"
#include "diffusion/lora_truncate.h"
#include "diffusion/sha256.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

constexpr std::array kParts = {LoraPart::unet, LoraPart::text_encoder, LoraPart::text_encoder_2};
constexpr const char* kPeftWeights = "adapter_model.safetensors";
constexpr const char* kPeftConfig = "adapter_config.json";
constexpr const char* kOperationKey = "atelier.operation";
constexpr double kToldError = 0.01;  // relative
constexpr const char* kMergedKey = "modelspec.merged_from";

tl::unexpected<Error> about(const fs::path& path, const Error& error) {
  return fail(fmt::format("{}: {}", path.string(), error.message));
}

/// The one file of weights in a folder of peft or diffusers, if there is one.
std::optional<fs::path> weights_in(const fs::path& folder) {
  for (const char* name : {kPeftWeights, "pytorch_lora_weights.safetensors"})
    if (fs::is_regular_file(folder / name)) return folder / name;
  return std::nullopt;
}

/// The widest of the dtypes; that of two different ones of 16 bits is float32.
at::ScalarType widest(const std::set<at::ScalarType>& dtypes) {
  if (dtypes.size() == 1) return *dtypes.begin();
  return at::kFloat;
}

/// That of the file's factors; alphas are single numbers.
at::ScalarType dtype_of(const Safetensors& file) {
  std::set<at::ScalarType> dtypes;
  for (const auto& [key, entry] : file.entries()) {
    if (entry.shape.empty()) continue;
    if (entry.dtype == "F16") dtypes.insert(at::kHalf);
    if (entry.dtype == "BF16") dtypes.insert(at::kBFloat16);
    if (entry.dtype == "F32" || entry.dtype == "F64") dtypes.insert(at::kFloat);
  }
  return dtypes.empty() ? at::kFloat : widest(dtypes);
}

/// One file, with what its layers are called where it is one part's alone.
Result<LoraSource> open_file(const fs::path& path, bool skip_unknown, Sha256& hash) {
  auto updates = read_lora_updates(path, skip_unknown);
  if (!updates) return tl::unexpected(updates.error());
  const auto file = Safetensors::open(path);
  if (!file) return tl::unexpected(file.error());
  if (auto added = add_file(hash, path, file->data_start()); !added) return tl::unexpected(added.error());
  return LoraSource{path, *std::move(updates), file->metadata(), {}, dtype_of(*file)};
}

std::string moved_to(const std::string& layer, LoraPart part) {
  return (part == LoraPart::unet ? std::string() : fmt::format("{}.", name_of(part))) +
         std::string(path_in_part(layer));
}

template <class Map>
void move_layers(Map& from, Map& to, LoraPart part) {
  for (auto& [name, value] : from) to.insert_or_assign(moved_to(name, part), std::move(value));
}

/// A folder with a folder for each model, as peft's adapters of a pipeline are kept.
Result<LoraSource> open_parts(const fs::path& folder, bool skip_unknown) {
  LoraSource all{.path = folder, .updates = {}, .metadata = {}, .hash = {}};
  Sha256 hash;
  std::set<at::ScalarType> dtypes;
  for (const LoraPart part : kParts) {
    const auto weights = weights_in(folder / name_of(part));
    if (!weights) continue;
    auto one = open_file(*weights, skip_unknown, hash);
    if (!one) return one;
    dtypes.insert(one->dtype);
    move_layers(one->updates.lora.layers, all.updates.lora.layers, part);
    move_layers(one->updates.dense, all.updates.dense, part);
    move_layers(one->updates.magnitudes, all.updates.magnitudes, part);
    if (!all.updates.lora.base) all.updates.lora.base = one->updates.lora.base;
    all.updates.naming = one->updates.naming;
    for (const std::string& key : one->updates.skipped) all.updates.skipped.push_back(key);
    all.metadata.merge(one->metadata);
  }
  if (dtypes.empty())
    return fail(
        fmt::format("{}: is a folder without a LoRA; expected are {} or pytorch_lora_weights.safetensors, or "
                    "folders unet, text_encoder, text_encoder_2 with one",
                    folder.string(), kPeftWeights));
  all.dtype = widest(dtypes);
  all.hash = hash.hex();
  return all;
}

/// Kernels that files of LoHa and LoKr do not say: all convolutions of the three architectures that are no 1x1 are 3x3.
LoraLayer with_kernel(const std::string& name, LoraLayer layer) {
  constexpr int64_t side = 3;
  constexpr std::array<std::string_view, 5> convolutions = {"conv", "conv1", "conv2", "conv_in", "conv_out"};
  const std::string_view last = std::string_view(name).substr(name.rfind('.') + 1);
  const bool wide = std::ranges::find(convolutions, last) != convolutions.end();
  if (wide && layer.a.dim() == 2 && layer.a.size(1) % (side * side) == 0)
    layer.a = layer.a.view({layer.rank(), layer.a.size(1) / (side * side), side, side});
  return layer;
}

tl::unexpected<Error> needs_rank(const std::string& layer, std::string_view kind) {
  return fail(
      fmt::format("LoRA layer '{}' is of the kind {}, whose update is a full matrix: give a rank to reduce it to "
                  "with --rank",
                  layer, kind));
}

/// One layer as factors, nothing where it is zero, and what that cost where it was a full matrix.
struct MadeLayer {
  std::optional<LoraLayer> layer;
  double squared_norm = 0, squared_error = 0;  // Frobenius; 0 where nothing was lost
};

Result<MadeLayer> factors_of(const std::string& name, const LayerUpdate& update, const LoraWeights& weights,
                             const std::optional<RankLimit>& limit) {
  if (update.is_plain()) return MadeLayer{update.thin};
  at::Tensor delta;
  if (update.magnitude) {
    auto on_weight =
        weight_of(weights, name).and_then([&](const at::Tensor& weight) { return delta_on(name, update, weight); });
    if (!on_weight) return tl::unexpected(on_weight.error());
    delta = *std::move(on_weight);
  } else if (limit) {
    delta = update.dense->delta();
  } else {
    auto exact = update.dense->as_layer();
    if (!exact) return needs_rank(name, name_of(update.dense->kind()));
    return MadeLayer{with_kernel(name, *std::move(exact))};
  }
  auto reduced = reduce_dense(delta, *limit);
  if (!reduced.layer) return MadeLayer{};
  return MadeLayer{with_kernel(name, *std::move(reduced.layer)), reduced.squared_norm, reduced.squared_error};
}

/// What can be said before any layer is made.
Result<void> check_needs(const std::string& name, const LayerUpdate& update, const LoraNeeds& needs) {
  if (update.magnitude && needs.base == nullptr)
    return fail(
        fmt::format("LoRA layer '{}' is of the kind DoRA, whose update depends on the base's weight: give the "
                    "base it was trained on with --base",
                    name));
  if (update.magnitude && !needs.limit) return needs_rank(name, "DoRA");
  return {};
}

Result<void> write_file(const LoraFile& file, const fs::path& path, at::ScalarType dtype) {
  for (const auto& [key, tensor] : file.tensors)
    if (!is_finite(tensor)) return fail(fmt::format("{}: tensor '{}' {}", path.string(), key, not_finite_in(dtype)));
  return write_safetensors(path, file.tensors, file.metadata);
}

Result<void> write_adapter(const PeftAdapter& adapter, const fs::path& folder, at::ScalarType dtype) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
  if (auto written = write_file(adapter.file, folder / kPeftWeights, dtype); !written) return written;
  std::ofstream config(folder / kPeftConfig, std::ios::binary);
  config << adapter.config.dump(2) << '\n';
  config.close();
  if (!config) return fail(fmt::format("{}: cannot be written", (folder / kPeftConfig).string()));
  return {};
}

}  // namespace

Result<LoraSource> open_lora(const fs::path& path, bool skip_unknown) {
  if (!fs::is_directory(path)) {
    Sha256 hash;
    auto source = open_file(path, skip_unknown, hash);
    if (source) source->hash = hash.hex();
    return source;
  }
  const auto weights = weights_in(path);
  if (!weights) return open_parts(path, skip_unknown);
  auto source = open_lora(*weights, skip_unknown);
  if (source) source->path = path;
  return source;
}

Result<LoraResult> lora_of(const LoraSource& source, const LoraNeeds& needs) {
  const auto layers = layers_of(source.updates);
  for (const auto& [name, update] : layers)
    if (auto met = check_needs(name, update, needs); !met) return about(source.path, met.error());
  LoraWeights weights;
  if (!source.updates.magnitudes.empty()) {
    auto of_base = lora_weights(*needs.base);
    if (!of_base) return tl::unexpected(of_base.error());
    weights = *std::move(of_base);
  }
  auto factors = for_each_layer(
      layers, [&](const auto& item) { return factors_of(item.first, item.second, weights, needs.limit); });
  if (!factors) return about(source.path, factors.error());
  LoraResult result;
  result.lora.base = source.updates.lora.base;
  double squared_norm = 0, squared_error = 0;
  auto made = factors->begin();
  for (const auto& [name, update] : layers) {
    squared_norm += made->squared_norm;
    squared_error += made->squared_error;
    if (made->layer) result.lora.layers[name] = *std::move(made->layer);
    ++made;
  }
  if (squared_norm == 0) return result;
  result.relative_error = ratio_of_squares(squared_error, squared_norm);
  if (*result.relative_error > kToldError)
    result.notes.push_back(fmt::format("{}: its full matrices are {:.1f} % off as a LoRA; a higher rank keeps more",
                                       source.path.string(), 100 * *result.relative_error));
  return result;
}

Provenance::Provenance(std::string_view operation) : operation_({{"name", operation}}) {}

Provenance& Provenance::option(const std::string& name, const nlohmann::json& value) {
  operation_[name] = value;
  return *this;
}

Provenance& Provenance::input(const std::string& role, const std::string& hash, const nlohmann::json& facts) {
  nlohmann::json entry = facts.is_object() ? facts : nlohmann::json::object();
  entry["sha256"] = hash;
  nlohmann::json& place = operation_["inputs"][role];
  if (place.is_null()) {
    place = std::move(entry);
  } else {
    if (place.is_object()) place = nlohmann::json::array({place});
    place.push_back(std::move(entry));
  }
  return *this;
}

Provenance& Provenance::title(const Metadata& of_input) {
  const auto found = of_input.find("modelspec.title");
  if (found != of_input.end() && !found->second.empty()) titles_.push_back(found->second);
  return *this;
}

Metadata Provenance::metadata() const {
  Metadata metadata{{kOperationKey, operation_.dump()}};
  if (!titles_.empty()) metadata[kMergedKey] = fmt::format("{}", fmt::join(titles_, ", "));
  return metadata;
}

Result<void> write_lora(const Lora& lora, const fs::path& path, const LoraOutput& output) {
  if (lora.layers.empty()) return fail(fmt::format("{}: nothing to write: the LoRA has no layers", path.string()));
  switch (output.naming) {
    case LoraNaming::kohya:
      return write_file(to_kohya(lora, output.about, output.alphas, output.dtype), path, output.dtype);
    case LoraNaming::diffusers:
      return write_file(to_diffusers(lora, output.about, output.alphas, output.dtype), path, output.dtype);
    case LoraNaming::peft:
      break;
  }
  const auto adapters = to_peft(lora, output.about, output.alphas, output.dtype);
  for (const auto& [part, adapter] : adapters) {
    const bool alone = adapters.size() == 1 && part == LoraPart::unet;
    const fs::path folder = alone ? path : path / name_of(part);
    if (auto written = write_adapter(adapter, folder, output.dtype); !written) return written;
  }
  return {};
}

Result<std::string> hash_of(const BaseModel& base) {
  Sha256 hash;
  std::set<fs::path> seen;
  for (const ModelPart part : base.parts()) {
    for (const fs::path& path : base.stored(part).files) {
      if (!seen.insert(path).second) continue;  // a single file holds all parts
      if (auto added = add_file(hash, path); !added) return tl::unexpected(added.error());
    }
  }
  return hash.hex();
}

}  // namespace atelier::diffusion
