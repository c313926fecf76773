#include "image/exif.h"

#include <cstdint>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string_view>

namespace atelier {
namespace {

using Bytes = std::span<const std::byte>;

constexpr int upright_already = 1;
constexpr std::uint32_t orientation_tag = 0x0112;

// Integers at any place of untrusted bytes; reading past the end gives nothing.
class Reader {
 public:
  Reader(Bytes bytes, bool little) : bytes_(bytes), little_(little) {}
  std::optional<std::uint32_t> number(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | std::to_integer<std::uint32_t>(bytes_[at + (little_ ? size - 1 - i : i)]);
    return value;
  }

 private:
  Bytes bytes_;
  bool little_;
};

bool starts(Bytes bytes, std::string_view magic, std::size_t at = 0) {
  if (at > bytes.size() || magic.size() > bytes.size() - at) return false;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()) + at, magic.size()) == magic;
}

Bytes from(Bytes bytes, std::size_t at, std::size_t length) {
  if (at > bytes.size()) return {};
  return bytes.subspan(at, std::min(length, bytes.size() - at));
}

Bytes block_of_jpeg(Bytes file) {
  const Reader reader(file, false);
  constexpr std::string_view exif("Exif\0\0", 6);
  for (std::size_t at = 2;;) {
    const auto marker = reader.number(at, 2), length = reader.number(at + 2, 2);
    constexpr std::uint32_t start_of_scan = 0xFFDA, app1 = 0xFFE1;
    if (!marker || !length || *marker >> 8 != 0xFF || *marker == start_of_scan || *length < 2) return {};
    if (*marker == app1 && starts(file, exif, at + 4)) return from(file, at + 4 + exif.size(), *length);
    at += 2 + *length;
  }
}

// PNG: big-endian length, name, data, CRC. RIFF: name, little-endian length, data, padded to two.
Bytes block_of_chunks(Bytes file, std::size_t first, bool png) {
  const Reader reader(file, !png);
  for (std::size_t at = first;;) {
    const auto length = reader.number(at + (png ? 0 : 4), 4);
    if (!length) return {};
    if (starts(file, png ? "eXIf" : "EXIF", at + (png ? 4 : 0))) return from(file, at + 8, *length);
    at += 8 + std::size_t{*length} + (png ? 4 : *length % 2);
  }
}

}  // namespace

int exif_orientation(Bytes tiff) {
  const bool little = starts(tiff, "II");
  if (!little && !starts(tiff, "MM")) return upright_already;
  const Reader reader(tiff, little);
  const auto directory = reader.number(4, 4);
  const auto entries = directory ? reader.number(*directory, 2) : std::nullopt;
  for (std::size_t i = 0; entries && i < *entries; ++i) {
    const std::size_t entry = *directory + 2 + 12 * i;
    if (reader.number(entry, 2) != orientation_tag) continue;
    const auto value = reader.number(entry + 8, 2);
    return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : upright_already;
  }
  return upright_already;
}

int orientation_of_file(Bytes file) {
  Bytes block;
  if (starts(file, "\xFF\xD8")) block = block_of_jpeg(file);
  if (starts(file, "\x89PNG\r\n\x1A\n")) block = block_of_chunks(file, 8, true);
  if (starts(file, "RIFF") && starts(file, "WEBP", 8)) block = block_of_chunks(file, 12, false);
  constexpr std::string_view prefix("Exif\0\0", 6);  // some writers put JPEG's into the chunk too
  return exif_orientation(starts(block, prefix) ? block.subspan(prefix.size()) : block);
}

cv::Mat upright(const cv::Mat& picture, int orientation) {
  cv::Mat result = picture;
  if (picture.empty()) return result;
  constexpr int mirror = 1;  // cv::flip: about the vertical axis
  switch (orientation) {
    case 2:
      cv::flip(picture, result, mirror);
      break;
    case 3:
      cv::rotate(picture, result, cv::ROTATE_180);
      break;
    case 4:
      cv::flip(picture, result, 0);
      break;
    case 5:
      cv::transpose(picture, result);
      break;
    case 6:
      cv::rotate(picture, result, cv::ROTATE_90_CLOCKWISE);
      break;
    case 7: {
      cv::Mat transposed;
      cv::transpose(picture, transposed);
      cv::rotate(transposed, result, cv::ROTATE_180);
      break;
    }
    case 8:
      cv::rotate(picture, result, cv::ROTATE_90_COUNTERCLOCKWISE);
      break;
    default:
      break;
  }
  return result;
}

}  // namespace atelier
