// types: PNG bytes from pixels. Equal input gives equal bytes.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "artifact/tensor.h"
#include "base/error.h"

namespace atelier {

using PngTexts =
    std::vector<std::pair<std::string, std::string>>;  // keyword (Latin-1, 1 to 79 characters), text (UTF-8)

// `pixels` is u8 [H, W, 3] (RGB) or [H, W] (grey); anything else is a Fault. A text that is ASCII becomes a tEXt chunk,
// any other an iTXt chunk.
Expected<std::vector<std::byte>> encode_png(const Tensor& pixels, const PngTexts& texts = {});

}  // namespace atelier
