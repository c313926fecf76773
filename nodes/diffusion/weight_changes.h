// Weights of a model that differ from its base, each made from the stored one when it is needed, so that a whole
// changed model is never in memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>

#include "diffusion/error.h"
#include "diffusion/original_layout.h"

namespace atelier::diffusion {

/// The new weight from the stored one, of the same shape. Called once, in any thread.
using WeightChange = std::function<Result<at::Tensor>(const at::Tensor& stored)>;

/// The weights of a part that change, by diffusers' names.
using WeightChanges = std::map<std::string, WeightChange>;

using ModelChanges = std::map<ModelPart, WeightChanges>;

}  // namespace atelier::diffusion
