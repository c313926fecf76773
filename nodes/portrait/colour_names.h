// portrait: the names of colours, as a caption uses them.
#pragma once
#include <array>
#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

constexpr std::array<std::string_view, 11> colour_names{"black",  "grey",  "white", "red",    "orange", "brown",
                                                        "yellow", "green", "blue",  "purple", "pink"};

// Index into colour_names of an RGB pixel.
std::size_t colour_of(const cv::Vec3b& rgb);

// What colours a part of a picture has.
struct ColourSummary {
  double pixels = 0;                                 // weight of the part, in pixels
  std::array<double, colour_names.size()> shares{};  // of each name, 0 to 1
  double brightness = 0;                             // mean luma, 0 to 255
  double spread = 0;                                 // standard deviation of the channels, the largest of the three

  std::size_t dominant() const;  // index into colour_names
};

// `rgb` is CV_8UC3; `weight` CV_8UC1 of the same size, 255 where a pixel counts whole.
ColourSummary colours_of(const cv::Mat& rgb, const cv::Mat& weight);

}  // namespace atelier
