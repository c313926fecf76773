// The tensors of a model file by name: a plain value; copies share the tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace atelier::diffusion {

using WeightMap = std::map<std::string, at::Tensor>;

}  // namespace atelier::diffusion
