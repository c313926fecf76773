// portrait: what can be said of a picture from its face and its pixels alone.
#pragma once
#include <string>
#include <vector>

#include "types/images.h"

namespace atelier {

// Tags in a fixed order, as far as they can be measured: number of people, framing (close-up, portrait, upper body),
// facing (viewer, left, right: as seen), brightness (dark photo, bright photo), background (its colour, and whether it
// is plain).
std::vector<std::string> tags_of(const Image& image);

}  // namespace atelier
