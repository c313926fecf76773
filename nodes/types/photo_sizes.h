// types: the sizes that SDXL is told of a photo, in training as in sampling.
//
// The original size is that of the upright photo as it came, before any resize, as kohya's tools and diffusers take it;
// the target size is that of the pixels that were encoded, the photo's bucket. The crop is where those pixels lie in
// the photo once it is scaled as they are, as in the SDXL paper (2.2) and diffusers; kohya's tools tell the crop of a
// photo that is always cut in its middle.
#pragma once
#include <array>
#include <cstdint>

namespace atelier {

struct PhotoSizes {
  std::int64_t original_height = 0, original_width = 0;  // px
  std::int64_t crop_top = 0, crop_left = 0;              // px
  std::int64_t target_height = 0, target_width = 0;      // px

  // In the order in which the UNet takes them.
  std::array<std::int64_t, 6> time_ids() const {
    return {original_height, original_width, crop_top, crop_left, target_height, target_width};
  }
  static PhotoSizes of(const std::array<std::int64_t, 6>& ids) {
    return {ids[0], ids[1], ids[2], ids[3], ids[4], ids[5]};
  }
  bool operator==(const PhotoSizes&) const = default;
};

}  // namespace atelier
