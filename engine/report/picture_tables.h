// report: tables of pictures.
#pragma once
#include <string>
#include <vector>

#include "report/frames.h"

namespace atelier {

// Steps below each other, the same prompt and seed above each other.
std::string gallery_html(const PictureTable& gallery, const std::string& whose, Frames& frames);
// Photos side by side, before, after and masks below each other.
std::string strip_html(const PictureTable& strip, const std::string& whose, Frames& frames);

}  // namespace atelier
