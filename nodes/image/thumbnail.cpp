#include "image/thumbnail.h"

#include <algorithm>
#include <array>
#include <opencv2/imgproc.hpp>

#include "image/pixels.h"
#include "types/png.h"

namespace atelier {
namespace {

constexpr int side_px = 160;
constexpr double tint_share = 0.72;                       // of what is not the portrait
constexpr std::array<double, 3> tint{38.0, 70.0, 196.0};  // RGB: no skin, no hair, and seen by the colour-blind

}  // namespace

void show_photo(Context& context, const std::string& photo, const PhotoAspect& aspect, const cv::Mat& rgb) {
  const int longer = std::max(rgb.cols, rgb.rows);
  cv::Mat small = rgb;
  if (longer > side_px)
    cv::resize(rgb, small, {std::max(1, rgb.cols * side_px / longer), std::max(1, rgb.rows * side_px / longer)}, 0, 0,
               cv::INTER_AREA);
  PngTexts texts;
  if (!aspect.description.empty()) texts.emplace_back("Description", aspect.description);
  if (const auto png = encode_png(tensor_of(small), texts)) context.preview(photo + "/" + aspect.name, *png);
}

cv::Mat under_mask(const cv::Mat& rgb, const cv::Mat& portrait, const cv::Mat& whole) {
  cv::Mat shown(rgb.size(), CV_8UC3);
  for (int y = 0; y < rgb.rows; ++y)
    for (int x = 0; x < rgb.cols; ++x) {
      const double other = tint_share * (1 - portrait.at<std::uint8_t>(y, x) / 255.0);
      const double valid = whole.at<std::uint8_t>(y, x) / 255.0;
      const auto& from = rgb.at<cv::Vec3b>(y, x);
      auto& to = shown.at<cv::Vec3b>(y, x);
      for (int c = 0; c < 3; ++c)
        to[c] = cv::saturate_cast<std::uint8_t>(valid *
                                                ((1 - other) * from[c] + other * tint[static_cast<std::size_t>(c)]));
    }
  return shown;
}

}  // namespace atelier
