// In which precisions the models compute.
#pragma once

#include <string_view>

#include "diffusion/error.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {

/// float32 and bfloat16 everywhere, float16 on GPUs alone: libtorch 1.13 has no float16 layers for the CPU, and 2.x
/// slow ones. `model` begins the Error.
Result<void> check_precision(std::string_view model, const ModelOptions& options);

}  // namespace atelier::diffusion
