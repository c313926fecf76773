// sampling: pictures as the report shows them.
#pragma once
#include <cstddef>
#include <vector>

#include "artifact/tensor.h"
#include "base/error.h"

namespace atelier {

// The picture as a small PNG, its longer side at most 256 px. `pixels` is u8 [H, W, 3].
Expected<std::vector<std::byte>> preview_of(const Tensor& pixels);

}  // namespace atelier
