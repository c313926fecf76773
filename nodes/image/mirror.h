// image: the mirrored copy of a picture, with all that is known of it: validity, face and where it was cropped.
#pragma once
#include <cstdint>

#include "types/images.h"

namespace atelier {

// Left and right changed. The face's landmarks change sides too: what was the right eye is the left one, seen in a
// mirror. Its name is the image's with ".mirrored" before the ending.
// `photo_width` is that of the whole photo, scaled as the pixels are: what lies right of the crop.
Image mirrored(const Image& image, std::int64_t photo_width);

}  // namespace atelier
