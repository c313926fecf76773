// Random weights for a model that has none yet.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "diffusion/weight_map.h"

namespace atelier::diffusion {

/// float32 weights for the names and shapes a model asks for (WeightReader::asked()): Kaiming-uniform with a = sqrt(5),
/// that is uniform in +-1 / sqrt(fan_in), for weights and biases of linear layers and convolutions (He et al. 2015, as
/// torch.nn does); ones and zeros for norms; uniform with standard deviation 0.02 for embeddings, as CLIP's.
/// Each tensor depends on the seed and its own name only.
WeightMap initial_weights(const std::map<std::string, std::vector<int64_t>>& shapes, uint64_t seed);

}  // namespace atelier::diffusion
