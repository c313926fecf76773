// Whether weights are numbers: a NaN or an infinity in a file spoils everything that is made with it.
#pragma once

#include <filesystem>

#include "diffusion/error.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

/// An Error naming the first tensor (by name) that holds a NaN or an infinity, and `path`, the file they are from. One
/// pass over the bytes, without copies for tensors on the CPU; whole numbers are always finite.
Result<void> check_finite(const WeightMap& weights, const std::filesystem::path& path);

}  // namespace atelier::diffusion
