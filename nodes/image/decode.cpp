#include "image/decode.h"

#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
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

struct Size {
  std::int64_t width = 0, height = 0;
};

// From the first chunk of a WebP file: VP8X (canvas), VP8L (lossless) or VP8 (a key frame). RFC 9649.
Size size_of_webp(std::span<const std::byte> file) {
  const auto byte = [&](std::size_t i) { return i < file.size() ? std::to_integer<std::int64_t>(file[i]) : 0; };
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const auto chunk = text.substr(std::min<std::size_t>(12, text.size()), 4);
  if (chunk == "VP8X")
    return {1 + (byte(24) | byte(25) << 8 | byte(26) << 16), 1 + (byte(27) | byte(28) << 8 | byte(29) << 16)};
  if (chunk == "VP8L") {
    const std::int64_t bits = byte(21) | byte(22) << 8 | byte(23) << 16 | byte(24) << 24;
    return {1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)};
  }
  return {(byte(26) | byte(27) << 8) & 0x3FFF, (byte(28) | byte(29) << 8) & 0x3FFF};
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

Expected<Decoded> decode_webp(std::span<const std::byte> file, const DecodeLimits& limits) try {
  const Size size = size_of_webp(file);
  if (auto fits = check_size(size.width, size.height, limits); !fits) return tl::unexpected(fits.error());
  const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8UC1, const_cast<std::byte*>(file.data()));
  cv::Mat picture = cv::imdecode(bytes, cv::IMREAD_UNCHANGED);
  if (picture.empty()) return failure("the file is damaged or cut off (WebP)");
  if (picture.channels() == 4) {
    cv::cvtColor(picture, picture, cv::COLOR_BGRA2RGBA);
    return on_white(picture);
  }
  cv::cvtColor(picture, picture, cv::COLOR_BGR2RGB);
  return Decoded{picture, {}};
} catch (const cv::Exception&) {
  return failure("the file is damaged or cut off (WebP)");
}

Expected<Decoded> decode_photo(std::span<const std::byte> file, const DecodeLimits& limits) {
  auto decoded = decode_as_it_lies(file, limits);
  if (!decoded) return decoded;
  const int orientation = orientation_of_file(file);
  return Decoded{upright(decoded->rgb, orientation), upright(decoded->alpha, orientation)};
}

}  // namespace atelier
