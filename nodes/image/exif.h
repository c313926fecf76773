// image: the orientation that a camera wrote into a photo (EXIF 2.32, tag 0x0112).
#pragma once
#include <cstddef>
#include <opencv2/core.hpp>
#include <span>

namespace atelier {

// 1 to 8; 1, upright, where the bytes say nothing or are damaged. `tiff` is the EXIF block from its TIFF header on.
int exif_orientation(std::span<const std::byte> tiff);

// The same for a whole JPEG, PNG or WebP file: finds its EXIF block (APP1, eXIf, EXIF).
int orientation_of_file(std::span<const std::byte> file);

// The picture as it is to be seen, of any type; `orientation` is 1 to 8.
cv::Mat upright(const cv::Mat& picture, int orientation);

}  // namespace atelier
