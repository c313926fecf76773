// The two layouts that model_write.h writes.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "diffusion/model_write.h"

namespace atelier::diffusion {

/// write_model(), once the changes are known to be of weights that are there.
Result<void> write_single_file(const BaseModel& base, const ModelChanges& changes, const std::filesystem::path& path,
                               const WriteOptions& options);
Result<void> write_folder(const BaseModel& base, const ModelChanges& changes, const std::filesystem::path& path,
                          const WriteOptions& options);

/// Which of the places are written.
enum class PlacesWritten { all, changed };

/// A part's weights under the places' keys as a file holds them, with the changes, in `dtype` where one is given,
/// packed ones joined. `weights` are views of the stored ones; places without one there are left out.
std::vector<PlannedTensor> plan_places(const WeightMap& weights, const std::vector<WeightPlace>& places,
                                       const WeightChanges& changes, std::optional<at::ScalarType> dtype,
                                       PlacesWritten which = PlacesWritten::all);

/// A file's own tensors, in `dtype` where one is given, with those of `changed` in their places, reshaped to what the
/// file has: a 1x1 convolution may be a linear layer there.
std::vector<PlannedTensor> plan_rewritten(
    WeightMap tensors, std::vector<PlannedTensor> changed,
    const std::function<std::optional<at::ScalarType>(const std::string&)>& dtype);

/// The changes of a part; none where it has none.
const WeightChanges& changes_of(const ModelChanges& changes, ModelPart part);

/// The dtype that a tensor is written in: the given one, if it is a floating-point one.
at::ScalarType written_dtype(const at::Tensor& tensor, std::optional<at::ScalarType> dtype);

/// JSON for people, in a folder that is made where it is missing. Errors: the disk's.
Result<void> write_json(const std::filesystem::path& path, const nlohmann::json& json);

/// A file's bytes at another path. Errors: the disk's.
Result<void> copy_bytes(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace atelier::diffusion
