// model: where the engine's tensors meet libtorch's. Neither direction copies bytes that need not be copied.
#pragma once
#include <ATen/core/Tensor.h>

#include "artifact/tensor.h"

namespace atelier {

// A view on the CPU of the same dtype and shape that keeps the bytes alive. Never write into it: the bytes belong to an
// artifact, and may be a read-only mapping.
at::Tensor as_torch(const Tensor& tensor);

// The tensor's values on the CPU, contiguous; shared where they are that already, so do not change them afterwards.
// Fault: a dtype that artifacts do not have.
Tensor as_tensor(const at::Tensor& tensor);

}  // namespace atelier
