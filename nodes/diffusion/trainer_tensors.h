// The tensors of a training's state; of the trainers alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "diffusion/error.h"

namespace atelier::diffusion {

/// A copy on the CPU, recorded nowhere.
at::Tensor copy_on_cpu(const at::Tensor& tensor);

/// Whether `given` has every wanted tensor in its shape. `of` says in the message what lacks it: "state has".
Result<void> has_all(const std::map<std::string, at::Tensor>& given, const std::map<std::string, at::Tensor>& wanted,
                     const char* of);

}  // namespace atelier::diffusion
