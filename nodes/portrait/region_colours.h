// portrait: a caption's words about colour and light, decided by the pixels under the masks.
#pragma once
#include <opencv2/core.hpp>
#include <string_view>

#include "portrait/colour_names.h"
#include "portrait/word_rules.h"

namespace atelier {

// The colours of a picture's two parts.
struct PartColours {
  ColourSummary portrait, background;
};

// Which part of the picture a tag is true of: a tag that names a colour belongs where that colour covers clearly more;
// "dark" and "bright" where it is clearly darker or brighter. Unknown where the pixels do not tell.
Side side_by_pixels(std::string_view tag, const PartColours& colours);

}  // namespace atelier
