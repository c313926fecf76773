// render: a picture as if it were drawn or painted: done with its pixels alone, after it is rendered.
#pragma once
#include "render/attributes.h"
#include "render/canvas.h"

namespace atelier::render {

Canvas stylised(Canvas picture, Style style, std::uint32_t seed);

// The three ways of working; widths grow with the picture.
Canvas drawn_in_ink(const Canvas& picture, std::uint32_t seed);
Canvas printed_as_poster(const Canvas& picture);
Canvas painted_in_oil(const Canvas& picture, std::uint32_t seed);

}  // namespace atelier::render
