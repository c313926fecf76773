#include "portrait/colour_names.h"

#include <algorithm>
#include <cmath>

namespace atelier {
namespace {

enum Name : std::size_t { black, grey, white, red, orange, brown, yellow, green, blue, purple, pink };

// Hue, saturation and value (Smith, "Color gamut transform pairs", 1978).
struct Hsv {
  double hue = 0;         // degrees, 0 to 360
  double saturation = 0;  // 0 to 1
  double value = 0;       // 0 to 1
};

Hsv hsv_of(const cv::Vec3b& rgb) {
  const double r = rgb[0] / 255.0, g = rgb[1] / 255.0, b = rgb[2] / 255.0;
  const double high = std::max({r, g, b}), range = high - std::min({r, g, b});
  Hsv hsv{0, high > 0 ? range / high : 0, high};
  if (range <= 0) return hsv;
  if (high == r)
    hsv.hue = 60 * (g - b) / range;
  else
    hsv.hue = high == g ? 60 * (b - r) / range + 120 : 60 * (r - g) / range + 240;
  if (hsv.hue < 0) hsv.hue += 360;
  return hsv;
}

Name of_hue(const Hsv& c) {
  const bool pale = c.saturation < 0.5 && c.value > 0.7;
  if (c.hue < 14 || c.hue >= 345) return pale ? pink : red;
  if (c.hue < 44) return c.value < 0.65 ? brown : pale ? brown : orange;
  if (c.hue < 68) return yellow;
  if (c.hue < 165) return green;
  if (c.hue < 260) return blue;
  return c.hue < 300 ? purple : pink;
}

}  // namespace

std::size_t colour_of(const cv::Vec3b& rgb) {
  const Hsv c = hsv_of(rgb);
  constexpr double dark = 0.2, light = 0.82, colourless = 0.18;
  if (c.value < dark) return black;
  if (c.saturation < colourless) return c.value > light ? white : grey;
  return of_hue(c);
}

std::size_t ColourSummary::dominant() const {
  return static_cast<std::size_t>(std::ranges::max_element(shares) - shares.begin());
}

ColourSummary colours_of(const cv::Mat& rgb, const cv::Mat& weight) {
  ColourSummary summary;
  cv::Vec3d sum, squares;
  for (int y = 0; y < rgb.rows; ++y)
    for (int x = 0; x < rgb.cols; ++x) {
      const double w = weight.at<std::uint8_t>(y, x) / 255.0;
      if (w <= 0) continue;
      const auto& pixel = rgb.at<cv::Vec3b>(y, x);
      summary.pixels += w;
      summary.shares[colour_of(pixel)] += w;
      for (int c = 0; c < 3; ++c) {
        sum[c] += w * pixel[c];
        squares[c] += w * pixel[c] * pixel[c];
      }
    }
  if (summary.pixels <= 0) return summary;
  for (auto& share : summary.shares) share /= summary.pixels;
  const cv::Vec3d mean = sum / summary.pixels;
  summary.brightness = 0.299 * mean[0] + 0.587 * mean[1] + 0.114 * mean[2];  // ITU-R BT.601
  for (int c = 0; c < 3; ++c)
    summary.spread =
        std::max(summary.spread, std::sqrt(std::max(0.0, squares[c] / summary.pixels - mean[c] * mean[c])));
  return summary;
}

}  // namespace atelier
