#include "render/stylise.h"

#include <gtest/gtest.h>

#include "render/picture.h"
#include "render/portrait.h"

namespace atelier::render {
namespace {

constexpr int size = 96;

cv::Mat in_style(Style style) {
  const Picture picture = random_picture(4, 2, style);
  return portrait_of(picture.person, picture.shot, size);
}

// The mean distance of the channels from their mean, 0 to 255.
double colourfulness(const cv::Mat& rgb) {
  double sum = 0;
  for (int y = 0; y < rgb.rows; ++y)
    for (int x = 0; x < rgb.cols; ++x) {
      const auto& p = rgb.at<cv::Vec3b>(y, x);
      sum += std::max({p[0], p[1], p[2]}) - std::min({p[0], p[1], p[2]});
    }
  return sum / static_cast<double>(rgb.total());
}

TEST(Stylise, InkHasNoColour) {
  EXPECT_LT(colourfulness(in_style(Style::ink)), 20);
  EXPECT_GT(colourfulness(in_style(Style::photo)), 40);
}

TEST(Stylise, APosterIsMoreColourfulThanAPhoto) {
  EXPECT_GT(colourfulness(in_style(Style::poster)), 1.2 * colourfulness(in_style(Style::photo)));
}

TEST(Stylise, EveryStyleIsTheSameEachTime) {
  for (std::size_t i = 0; i < Words<Style>::list.size(); ++i) {
    const cv::Mat a = in_style(static_cast<Style>(i)), b = in_style(static_cast<Style>(i));
    EXPECT_EQ(cv::norm(a, b, cv::NORM_INF), 0) << Words<Style>::list[i];
  }
}

}  // namespace
}  // namespace atelier::render
