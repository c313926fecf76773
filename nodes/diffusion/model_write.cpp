#include "diffusion/model_write.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/json_reader.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

Result<void> check_same_layout(const WeightMap& base, const WeightMap& changed, const fs::path& file) {
  for (const auto& [name, tensor] : changed) {
    const auto found = base.find(name);
    if (found == base.end()) return fail(fmt::format("{}: has no weight '{}' to change", file.string(), name));
    if (found->second.sizes() != tensor.sizes() || found->second.scalar_type() != tensor.scalar_type()) {
      return fail(fmt::format("{}: weight '{}' is {} {}, the changed one is {} {}", file.string(), name,
                              shape_text(found->second.sizes()), toString(found->second.scalar_type()),
                              shape_text(tensor.sizes()), toString(tensor.scalar_type())));
    }
  }
  for (const auto& [name, tensor] : base) {
    if (!changed.contains(name)) {
      return fail(fmt::format("{}: weight '{}' is missing among the changed ones", file.string(), name));
    }
  }
  return {};
}

Result<void> write_weights(const fs::path& from, const WeightMap& changed, const fs::path& to) {
  auto file = Safetensors::open(from);
  if (!file) return tl::unexpected(file.error());
  auto stored = file->tensors();
  if (!stored) return tl::unexpected(stored.error());
  if (auto ok = check_same_layout(*stored, changed, from); !ok) return ok;
  return write_safetensors(to, changed, file->metadata());
}

Result<void> copy_bytes(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error) return fail(fmt::format("{}: cannot be copied to {}: {}", from.string(), to.string(), error.message()));
  return {};
}

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
  (*index)["requires_safety_checker"] = false;
  std::ofstream file(to, std::ios::binary);
  file << index->dump(2) << '\n';
  file.close();
  if (!file) return fail(fmt::format("{}: cannot be written", to.string()));
  return {};
}

Result<void> make_empty_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
  if (!fs::is_empty(folder, error)) return fail(fmt::format("{}: is not empty", folder.string()));
  return {};
}

}  // namespace

Result<void> write_model(const BaseModel& base, const ChangedWeights& changed, const fs::path& folder) {
  if (auto ok = make_empty_folder(folder); !ok) return ok;
  for (const fs::path& file : base.files()) {
    const fs::path from = base.path() / file, to = folder / file;
    std::error_code error;
    fs::create_directories(to.parent_path(), error);
    if (error) return fail(fmt::format("{}: cannot be made: {}", to.parent_path().string(), error.message()));
    Result<void> done;
    if (file == base.unet_file() && !changed.unet.empty()) {
      done = write_weights(from, changed.unet, to);
    } else if (file == base.text_file() && !changed.text_encoder.empty()) {
      done = write_weights(from, changed.text_encoder, to);
    } else if (file == "model_index.json") {
      done = write_index(from, to);
    } else {
      done = copy_bytes(from, to);
    }
    if (!done) return done;
  }
  return {};
}

}  // namespace atelier::diffusion
