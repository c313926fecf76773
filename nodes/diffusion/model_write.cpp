#include "diffusion/model_write.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "diffusion/model_write_parts.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

Result<void> check_weight(const at::Tensor& base, const at::Tensor& changed, const std::string& name,
                          std::optional<at::ScalarType> dtype) {
  const bool cast = changed.scalar_type() != base.scalar_type() && changed.scalar_type() != dtype;
  if (base.sizes() == changed.sizes() && !cast) return {};
  return fail(fmt::format("weight '{}' is {} {}, the changed one is {} {}", name, shape_text(base.sizes()),
                          toString(base.scalar_type()), shape_text(changed.sizes()), toString(changed.scalar_type())));
}

/// Whether the changed weights are the part's, each of them.
Result<void> check_part(const WeightMap& base, const WeightMap& changed, std::optional<at::ScalarType> dtype) {
  for (const auto& [name, tensor] : changed) {
    const auto found = base.find(name);
    if (found == base.end()) return fail(fmt::format("has no weight '{}' to change", name));
    if (auto ok = check_weight(found->second, tensor, name, dtype); !ok) return ok;
  }
  for (const auto& [name, tensor] : base) {
    if (!changed.contains(name)) return fail(fmt::format("weight '{}' is missing among the changed ones", name));
  }
  return {};
}

Result<void> check_changes(const BaseModel& base, const PartWeights& changed, std::optional<at::ScalarType> dtype) {
  for (const auto& [part, weights] : changed) {
    const std::string name = base.stored(part).name();
    auto stored = base.weights(part);
    if (!stored) return tl::unexpected(stored.error());
    if (auto ok = check_part(*stored, weights, dtype); !ok) {
      return fail(fmt::format("{}: {}", name, ok.error().message));
    }
  }
  return {};
}

}  // namespace

ModelLayout layout_named(const fs::path& path) {
  return path.extension() == ".safetensors" ? ModelLayout::original_file : ModelLayout::diffusers_folder;
}

Result<void> write_model(const BaseModel& base, const PartWeights& changed, const fs::path& path,
                         const WriteOptions& options) {
  if (auto ok = check_changes(base, changed, options.dtype); !ok) return ok;
  const ModelLayout layout = options.layout.value_or(layout_named(path));
  if (layout == ModelLayout::original_file) return write_single_file(base, changed, path, options);
  return write_folder(base, changed, path, options);
}

}  // namespace atelier::diffusion
