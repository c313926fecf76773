#include "diffusion/model_write.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <set>

#include "diffusion/finite.h"
#include "diffusion/model_write_parts.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

Result<void> check_changes(const BaseModel& base, const ModelChanges& changes) {
  const std::vector<ModelPart> parts = base.parts();
  for (const auto& [part, weights] : changes) {
    if (std::ranges::find(parts, part) == parts.end())
      return fail(fmt::format("{}: has no {} to change", base.path().string(), folder_name(part)));
    std::set<std::string> names;
    for (const WeightPlace& place : base.stored(part).places) names.insert(place.name);
    for (const auto& [name, change] : weights)
      if (!names.contains(name))
        return fail(fmt::format("{}: has no weight '{}' to change", base.stored(part).name(), name));
  }
  return {};
}

Result<at::Tensor> cast_to(const std::string& name, const at::Tensor& weight, at::ScalarType dtype) {
  at::Tensor cast = weight.to(dtype);
  if (is_finite(cast)) return cast;
  return fail(fmt::format("weight '{}' {}", name, not_finite_in(dtype)));
}

/// The weight as it will be, in the dtype.
Result<at::Tensor> made_weight(const std::string& name, const at::Tensor& stored, const WeightChange* change,
                               at::ScalarType dtype) {
  if (change == nullptr) return stored.scalar_type() == dtype ? stored : cast_to(name, stored, dtype);
  const auto weight = (*change)(stored);
  if (!weight) return weight;
  if (weight->sizes() == stored.sizes()) return cast_to(name, *weight, dtype);
  return fail(fmt::format("weight '{}' is {}, the changed one is {}", name, shape_text(stored.sizes()),
                          shape_text(weight->sizes())));
}

const WeightChange* change_of(const WeightChanges& changes, const std::string& name) {
  const auto found = changes.find(name);
  return found == changes.end() ? nullptr : &found->second;
}

/// One weight that a tensor of a file consists of.
struct Source {
  WeightPlace place;
  at::Tensor stored;
  std::optional<WeightChange> change;
};

Result<at::Tensor> made_tensor(const std::vector<Source>& sources, at::ScalarType dtype) {
  std::vector<at::Tensor> parts;
  for (const Source& source : sources) {
    auto weight = made_weight(source.place.name, source.stored, source.change ? &*source.change : nullptr, dtype);
    if (!weight) return weight;
    parts.push_back(is_packed(source.place.form) ? *weight : as_stored(*weight, source.place));
  }
  return parts.size() == 1 && !is_packed(sources.front().place.form) ? parts.front() : at::cat(parts);
}

std::vector<int64_t> shape_of(const std::vector<Source>& sources) {
  const Source& first = sources.front();
  if (!is_packed(first.place.form)) return as_stored(first.stored, first.place).sizes().vec();
  std::vector<int64_t> shape = first.stored.sizes().vec();
  for (std::size_t i = 1; i < sources.size(); ++i) shape[0] += sources[i].stored.size(0);
  return shape;
}

}  // namespace

std::vector<PlannedTensor> plan_places(const WeightMap& weights, const std::vector<WeightPlace>& places,
                                       const WeightChanges& changes, std::optional<at::ScalarType> dtype,
                                       PlacesWritten which) {
  std::map<std::string, std::map<StoredForm, Source>> by_key;  // queries, keys and values in their order
  for (const WeightPlace& place : places) {
    const auto stored = weights.find(place.name);
    if (stored == weights.end()) continue;
    const WeightChange* change = change_of(changes, place.name);
    by_key[place.key].emplace(place.form,
                              Source{place, stored->second, change == nullptr ? std::nullopt : std::optional(*change)});
  }
  std::vector<PlannedTensor> planned;
  for (const auto& [key, by_form] : by_key) {
    std::vector<Source> sources;
    for (const auto& [form, source] : by_form) sources.push_back(source);
    const bool changed = std::ranges::any_of(sources, [](const Source& source) { return source.change.has_value(); });
    if (which == PlacesWritten::changed && !changed) continue;
    const at::ScalarType type = written_dtype(sources.front().stored, dtype);
    std::vector<int64_t> shape = shape_of(sources);
    planned.push_back(
        {key, type, std::move(shape), [sources = std::move(sources), type] { return made_tensor(sources, type); }});
  }
  return planned;
}

std::vector<PlannedTensor> plan_rewritten(
    WeightMap tensors, std::vector<PlannedTensor> changed,
    const std::function<std::optional<at::ScalarType>(const std::string&)>& dtype) {
  std::map<std::string, PlannedTensor*> by_key;
  for (PlannedTensor& one : changed) by_key[one.name] = &one;
  std::vector<PlannedTensor> all;
  for (const auto& [key, tensor] : tensors) {
    const auto found = by_key.find(key);
    const std::vector<int64_t> shape = tensor.sizes().vec();
    const at::ScalarType type = written_dtype(tensor, dtype(key));
    if (found == by_key.end()) {
      all.push_back({key, type, shape, [key = key, tensor = tensor, type]() -> Result<at::Tensor> {
                       return tensor.scalar_type() == type ? tensor : cast_to(key, tensor, type);
                     }});
      continue;
    }
    all.push_back({key, type, shape, [make = std::move(found->second->make), shape] {
                     return make().map([&](const at::Tensor& weight) { return weight.reshape(shape); });
                   }});
  }
  return all;
}

const WeightChanges& changes_of(const ModelChanges& changes, ModelPart part) {
  static const WeightChanges none;
  const auto found = changes.find(part);
  return found == changes.end() ? none : found->second;
}

at::ScalarType written_dtype(const at::Tensor& tensor, std::optional<at::ScalarType> dtype) {
  return dtype && tensor.is_floating_point() ? *dtype : tensor.scalar_type();
}

WeightChanges replaced_by(const WeightMap& weights) {
  WeightChanges changes;
  for (const auto& [name, weight] : weights)
    changes[name] = [weight = weight](const at::Tensor&) -> Result<at::Tensor> { return weight; };
  return changes;
}

ModelChanges replaced_by(const PartWeights& parts) {
  ModelChanges changes;
  for (const auto& [part, weights] : parts) changes[part] = replaced_by(weights);
  return changes;
}

ModelLayout layout_named(const fs::path& path) {
  return path.extension() == ".safetensors" ? ModelLayout::original_file : ModelLayout::diffusers_folder;
}

Result<void> write_model(const BaseModel& base, const ModelChanges& changes, const fs::path& path,
                         const WriteOptions& options) {
  if (auto ok = check_changes(base, changes); !ok) return ok;
  const ModelLayout layout = options.layout.value_or(layout_named(path));
  if (layout == ModelLayout::original_file) return write_single_file(base, changes, path, options);
  return write_folder(base, changes, path, options);
}

}  // namespace atelier::diffusion
