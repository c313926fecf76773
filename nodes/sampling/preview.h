// sampling: pictures as the report shows them.
#pragma once
#include <cstddef>
#include <vector>

#include "artifact/tensor.h"
#include "base/error.h"
#include "types/png.h"

namespace atelier {

// The picture as a small PNG, its longer side at most 256 px. `pixels` is u8 [H, W, 3]. Of the texts the report knows
// "Title", which sets a picture apart from its neighbours, and "Description", what it shows.
Expected<std::vector<std::byte>> preview_of(const Tensor& pixels, const PngTexts& texts = {});

}  // namespace atelier
