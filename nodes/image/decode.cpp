#include "image/decode.h"

#include <fmt/format.h>
#include <string_view>

#include "image/exif.h"

namespace atelier {
namespace {

Expected<Decoded> decode_as_it_lies(std::span<const std::byte> file, const DecodeLimits& limits) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.starts_with("\xFF\xD8")) return decode_jpeg(file, limits);
  if (text.starts_with("\x89PNG\r\n\x1A\n")) return decode_png(file, limits);
  if (text.starts_with("RIFF") && text.find("WEBP") == 8) return decode_webp(file, limits);
  return failure(file.empty() ? "the file is empty" : "the file is neither JPEG nor PNG nor WebP");
}

}  // namespace

Expected<void> check_size(std::int64_t width, std::int64_t height, const DecodeLimits& limits) {
  if (width > 0 && height > 0 && width <= limits.pixels / height) return {};
  if (width <= 0 || height <= 0) return failure("the file is damaged: it says no size");
  return failure(
      fmt::format("{} x {} pixels, more than max_megapixels {} allows", width, height, limits.pixels / 1'000'000));
}

Decoded on_white(const cv::Mat& rgba) {
  Decoded decoded{cv::Mat(rgba.size(), CV_8UC3), cv::Mat(rgba.size(), CV_8UC1)};
  bool opaque = true;
  for (int y = 0; y < rgba.rows; ++y) {
    for (int x = 0; x < rgba.cols; ++x) {
      const auto& from = rgba.at<cv::Vec4b>(y, x);
      const int alpha = from[3];
      opaque = opaque && alpha == 255;
      decoded.alpha.at<std::uint8_t>(y, x) = from[3];
      for (int c = 0; c < 3; ++c)
        decoded.rgb.at<cv::Vec3b>(y, x)[c] =
            static_cast<std::uint8_t>((from[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  if (opaque) decoded.alpha.release();
  return decoded;
}

Expected<Decoded> decode_photo(std::span<const std::byte> file, const DecodeLimits& limits) {
  auto decoded = decode_as_it_lies(file, limits);
  if (!decoded) return decoded;
  const int orientation = orientation_of_file(file);
  return Decoded{upright(decoded->rgb, orientation), upright(decoded->alpha, orientation)};
}

}  // namespace atelier
