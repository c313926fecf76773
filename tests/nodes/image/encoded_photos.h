// Photos made and encoded on the spot, and the parts of a folder input that a test of a node needs.
#pragma once
#include <cstdint>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "support/memory_files.h"
#include "types/photos.h"

namespace atelier {

inline std::string encoded(const char* extension, const cv::Mat& bgr, const std::vector<int>& options = {}) {
  std::vector<std::uint8_t> bytes;
  cv::imencode(extension, bgr, bytes, options);
  return {bytes.begin(), bytes.end()};
}

// A picture that looks different in every direction: red top left quarter, green top right, blue bottom left, white
// bottom right.
inline cv::Mat quarters(int width, int height) {
  cv::Mat bgr(height, width, CV_8UC3, cv::Scalar(255, 255, 255));
  bgr(cv::Rect(0, 0, width / 2, height / 2)).setTo(cv::Scalar(0, 0, 255));
  bgr(cv::Rect(width / 2, 0, width - width / 2, height / 2)).setTo(cv::Scalar(0, 255, 0));
  bgr(cv::Rect(0, height / 2, width / 2, height - height / 2)).setTo(cv::Scalar(255, 0, 0));
  return bgr;
}

// The JPEG with an EXIF block that says this orientation, little- or big-endian.
inline std::string with_orientation(const std::string& jpeg, int orientation, bool little = true) {
  const auto number = [little](unsigned value, int size) {
    std::string text;
    for (int i = 0; i < size; ++i) text += static_cast<char>(value >> 8 * (little ? i : size - 1 - i) & 0xFF);
    return text;
  };
  const std::string tiff = (little ? "II" : "MM") + number(42, 2) + number(8, 4) + number(1, 2) + number(0x0112, 2) +
                           number(3, 2) + number(1, 4) + number(static_cast<unsigned>(orientation), 2) + number(0, 2) +
                           number(0, 4);
  const std::string block = std::string("Exif\0\0", 6) + tiff;
  const auto length = block.size() + 2;
  return jpeg.substr(0, 2) + "\xFF\xE1" + static_cast<char>(length >> 8) + static_cast<char>(length & 0xFF) + block +
         jpeg.substr(2);
}

inline Artifact folder_input(MemoryFiles& files, const std::string& folder) {
  return make_photos_type(files)
      ->open_input(
          folder,
          [&](const std::filesystem::path& file) -> Expected<Digest> { return sha256(files.text(file).value_or("")); })
      .value();
}

}  // namespace atelier
