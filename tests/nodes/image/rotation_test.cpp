#include "image/rotation.h"

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

#include "image/exif.h"
#include "support/test_images.h"

namespace atelier {
namespace {

TEST(Rotation, MovesPointsAsItMovesPixels) {
  cv::Mat picture(40, 60, CV_8UC1, cv::Scalar(0));
  picture.at<std::uint8_t>(7, 50) = 255;
  for (int quarters = 0; quarters < 4; ++quarters) {
    const Point p = quarter_turned(Point{50, 7}, picture.size(), quarters);
    const cv::Mat result = quarter_turned(picture, quarters);
    EXPECT_EQ(result.at<std::uint8_t>(static_cast<int>(p.y), static_cast<int>(p.x)), 255) << quarters;
  }
  cv::circle(picture, {45, 12}, 3, cv::Scalar(255), -1);
  for (const double degrees : {30.0, -75.0}) {
    const Point p = turned(Point{45, 12}, Point{30, 20}, degrees);
    const cv::Mat result = turned(picture, {30, 20}, degrees);
    EXPECT_GT(result.at<std::uint8_t>(cvRound(p.y), cvRound(p.x)), 250) << degrees;
  }
}

TEST(Rotation, TurnsClockwise) {
  const Face face = turned(level_face(100, 100, 20), {100, 100}, 30);
  EXPECT_NEAR(eye_line_degrees(face), 30, 1e-9);
}

TEST(Rotation, CallsWhatItInventedInvalid) {
  const cv::Mat valid = turned_validity({}, {100, 100}, {50, 50}, 45);
  EXPECT_EQ(valid.at<std::uint8_t>(0, 0), 0);
  EXPECT_EQ(valid.at<std::uint8_t>(50, 50), 255);
}

TEST(Exif, IsReadFromUntrustedBytesWithoutLeavingThem) {
  std::vector<std::byte> tiff;
  for (const char c : std::string("II*\0\x08\0\0\0\xFF\xFF\x12\x01", 12)) tiff.push_back(static_cast<std::byte>(c));
  EXPECT_EQ(exif_orientation(tiff), 1);
  for (std::size_t length = 0; length < tiff.size(); ++length)
    EXPECT_EQ(exif_orientation(std::span(tiff).first(length)), 1);
}

}  // namespace
}  // namespace atelier
