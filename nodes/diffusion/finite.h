// Whether weights are numbers: a NaN or an infinity in a file spoils everything that is made with it.
#pragma once

#include <c10/core/ScalarType.h>

#include <filesystem>
#include <string>

#include "diffusion/error.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

/// Whether all numbers are; one pass over the bytes, without copies for tensors on the CPU.
bool is_finite(const at::Tensor& tensor);

/// What an Error says of numbers that are not once they are in that format: "holds NaN or infinite numbers, or numbers
/// too large for float16".
std::string not_finite_in(at::ScalarType dtype);

/// An Error naming the first tensor (by name) that holds a NaN or an infinity, and `path`, the file they are from.
/// Whole numbers are always finite.
Result<void> check_finite(const WeightMap& weights, const std::filesystem::path& path);

}  // namespace atelier::diffusion
