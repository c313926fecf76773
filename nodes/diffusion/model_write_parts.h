// The two layouts that model_write.h writes.
#pragma once

#include "diffusion/model_write.h"

namespace atelier::diffusion {

/// write_model(), once the changes are known to fit.
Result<void> write_single_file(const BaseModel& base, const PartWeights& changed, const std::filesystem::path& path,
                               const WriteOptions& options);
Result<void> write_folder(const BaseModel& base, const PartWeights& changed, const std::filesystem::path& path,
                          const WriteOptions& options);

/// The weights under the places' keys, in `dtype` where one is given, packed ones joined; places without a weight in
/// `weights` are left out.
WeightMap at_places(const WeightMap& weights, const std::vector<WeightPlace>& places, const std::string& prefix,
                    std::optional<at::ScalarType> dtype);

/// The tensor in the dtype, if one is given and it is a floating-point one.
at::Tensor in_dtype(const at::Tensor& tensor, std::optional<at::ScalarType> dtype);

/// A file's bytes at another path. Errors: the disk's.
Result<void> copy_bytes(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace atelier::diffusion
