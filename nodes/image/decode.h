// image: pixels from the bytes of a JPEG, PNG or WebP file of a stranger.
#pragma once
#include <cstddef>
#include <cstdint>
#include <opencv2/core.hpp>
#include <span>

#include "base/error.h"

namespace atelier {

struct Decoded {
  cv::Mat rgb;    // CV_8UC3, upright; transparent pixels stand on white
  cv::Mat alpha;  // CV_8UC1 of the same size; empty: all opaque
};

// What is decided before memory is spent on a picture.
struct DecodeLimits {
  std::int64_t pixels = 0;  // width times height
};

// The picture, upright by its EXIF orientation; 16-bit and grey ones become 8-bit RGB. Errors are half sentences that
// follow "NAME: left out: ": not one of the formats, cut off, damaged, too large.
Expected<Decoded> decode_photo(std::span<const std::byte> file, const DecodeLimits& limits);

// The decoders behind it, each for one format and without looking at orientation.
Expected<Decoded> decode_jpeg(std::span<const std::byte> file, const DecodeLimits& limits);
Expected<Decoded> decode_png(std::span<const std::byte> file, const DecodeLimits& limits);
Expected<Decoded> decode_webp(std::span<const std::byte> file, const DecodeLimits& limits);

// Empty where a picture of that size is within the limits.
Expected<void> check_size(std::int64_t width, std::int64_t height, const DecodeLimits& limits);

// `rgba` (CV_8UC4) on white.
Decoded on_white(const cv::Mat& rgba);

}  // namespace atelier
