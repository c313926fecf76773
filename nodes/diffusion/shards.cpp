#include "diffusion/shards.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "diffusion/model_write_parts.h"
#include "diffusion/weight_files.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kHeaderBytes = 200;  // of a tensor in the header, at most; and of the header itself

struct Shard {
  WeightMap tensors;
  uint64_t bytes = kHeaderBytes;
};

Result<std::vector<Shard>> shards_of(const Safetensors& file, uint64_t max_bytes) {
  std::vector<Shard> shards(1);
  for (const auto& [name, entry] : file.entries()) {
    const uint64_t bytes = entry.end - entry.begin + name.size() + kHeaderBytes;
    if (bytes + kHeaderBytes > max_bytes)
      return fail(fmt::format("{}: weight '{}' alone has {} bytes, more than a shard may have ({})",
                              file.path().string(), name, entry.end - entry.begin, max_bytes));
    if (shards.back().bytes + bytes > max_bytes) shards.emplace_back();
    auto tensor = file.tensor(name);
    if (!tensor) return tl::unexpected(tensor.error());
    shards.back().tensors[name] = std::move(*tensor);
    shards.back().bytes += bytes;
  }
  return shards;
}

Result<void> shard_file(const Safetensors& file, uint64_t max_bytes) {
  const fs::path& path = file.path();
  const auto shards = shards_of(file, max_bytes);
  if (!shards) return tl::unexpected(shards.error());
  nlohmann::json weight_map = nlohmann::json::object();
  uint64_t total = 0;
  for (std::size_t i = 0; i < shards->size(); ++i) {
    const std::string name = fmt::format("{}-{:05}-of-{:05}.safetensors", path.stem().string(), i + 1, shards->size());
    if (auto ok = write_safetensors(path.parent_path() / name, (*shards)[i].tensors, file.metadata()); !ok) return ok;
    for (const auto& [weight, tensor] : (*shards)[i].tensors) {
      weight_map[weight] = name;
      total += static_cast<uint64_t>(tensor.nbytes());
    }
  }
  if (auto ok = write_json(path.string() + ".index.json",
                           {{"metadata", {{"total_size", total}}}, {"weight_map", weight_map}});
      !ok)
    return ok;
  std::error_code error;
  if (!fs::remove(path, error)) return fail(fmt::format("{}: cannot be removed: {}", path.string(), error.message()));
  return {};
}

}  // namespace

Result<void> shard_folder(const fs::path& folder, uint64_t max_bytes) {
  for (const ModelPart part : {ModelPart::unet, ModelPart::vae, ModelPart::text_encoder, ModelPart::text_encoder_2}) {
    if (!fs::is_directory(folder / folder_name(part))) continue;
    const auto weights = open_weights(folder / folder_name(part));
    if (!weights) return tl::unexpected(weights.error());
    if (!weights->index.empty() || fs::file_size(weights->files.front().path()) <= max_bytes) continue;
    if (auto ok = shard_file(weights->files.front(), max_bytes); !ok) return ok;
  }
  return {};
}

}  // namespace atelier::diffusion
