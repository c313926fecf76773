#include "diffusion/shards.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".safetensors";
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

Result<void> write_index(const fs::path& path, const nlohmann::json& weight_map, uint64_t bytes) {
  std::ofstream file(path, std::ios::binary);
  file << nlohmann::json{{"metadata", {{"total_size", bytes}}}, {"weight_map", weight_map}}.dump(2) << '\n';
  file.close();
  if (!file) return fail(fmt::format("{}: cannot be written", path.string()));
  return {};
}

Result<void> shard_file(const fs::path& path, uint64_t max_bytes) {
  const auto file = Safetensors::open(path);
  if (!file) return tl::unexpected(file.error());
  const auto shards = shards_of(*file, max_bytes);
  if (!shards) return tl::unexpected(shards.error());
  nlohmann::json weight_map = nlohmann::json::object();
  uint64_t total = 0;
  for (std::size_t i = 0; i < shards->size(); ++i) {
    const std::string name =
        fmt::format("{}-{:05}-of-{:05}{}", path.stem().string(), i + 1, shards->size(), kExtension);
    if (auto ok = write_safetensors(path.parent_path() / name, (*shards)[i].tensors, file->metadata()); !ok) return ok;
    for (const auto& [weight, tensor] : (*shards)[i].tensors) {
      weight_map[weight] = name;
      total += static_cast<uint64_t>(tensor.nbytes());
    }
  }
  if (auto ok = write_index(path.string() + ".index.json", weight_map, total); !ok) return ok;
  std::error_code error;
  if (!fs::remove(path, error)) return fail(fmt::format("{}: cannot be removed: {}", path.string(), error.message()));
  return {};
}

}  // namespace

Result<void> shard_folder(const fs::path& folder, uint64_t max_bytes) {
  for (const char* part : {"unet", "vae", "text_encoder", "text_encoder_2"}) {
    for (const char* stem : {"diffusion_pytorch_model", "model"}) {
      const fs::path file = folder / part / (std::string(stem) + std::string(kExtension));
      std::error_code none;
      if (!fs::is_regular_file(file, none) || fs::file_size(file, none) <= max_bytes) continue;
      if (auto ok = shard_file(file, max_bytes); !ok) return ok;
    }
  }
  return {};
}

}  // namespace atelier::diffusion
