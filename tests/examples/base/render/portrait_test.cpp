#include "render/portrait.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <opencv2/core.hpp>

#include "image/face_detector.h"
#include "image/person_segmenter.h"
#include "render/picture.h"

namespace atelier::render {
namespace {

cv::Mat photo(std::uint64_t index, int size_px) {
  const Picture picture = random_picture(11, index, Style::photo);
  return portrait_of(picture.person, picture.shot, size_px);
}

bool same_bytes(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && std::memcmp(a.data, b.data, a.total() * a.elemSize()) == 0;
}

TEST(Portrait, IsTheSameEachTime) { EXPECT_TRUE(same_bytes(photo(0, 96), photo(0, 96))); }

TEST(Portrait, IsAnotherOfAnotherPerson) {
  Picture picture = random_picture(11, 0, Style::photo);
  const cv::Mat before = portrait_of(picture.person, picture.shot, 96);
  picture.person.nose_width += 0.03f;
  EXPECT_FALSE(same_bytes(before, portrait_of(picture.person, picture.shot, 96)));
}

// The pipeline leaves out photos without a face.
TEST(Portrait, HasAFaceWhereTheDetectorLooksForOne) {
  const FaceDetector detector(ATELIER_SOURCE_DIR "/models/yunet/face_detection_yunet_2022mar.onnx");
  constexpr int photos = 40, size = 256;
  int found = 0;
  for (std::uint64_t i = 0; i < photos; ++i) {
    const Shot shot = random_picture(11, i, Style::photo).shot;
    const auto faces = detector.faces_in(photo(i, size));
    found += std::ranges::any_of(faces, [&](const Face& face) {
      constexpr double sure = 0.6;
      const double x = face.box.x + face.box.width / 2, y = face.box.y + face.box.height / 2;
      return face.score > sure && std::abs(x / size - shot.head_x) < 0.1 && std::abs(y / size - shot.head_y) < 0.15;
    });
  }
  EXPECT_GE(found, photos * 95 / 100);
}

TEST(Portrait, HasAPersonWhereTheSegmenterLooksForOne) {
  const PersonSegmenter segmenter(ATELIER_SOURCE_DIR "/models/sinet/SINet.onnx");
  constexpr int photos = 10;
  int plausible = 0;
  for (std::uint64_t i = 0; i < photos; ++i) {
    const Shot shot = random_picture(11, i, Style::photo).shot;
    const cv::Mat person = segmenter.person_in(photo(i, 256));
    const auto at = [&](float x, float y) {
      return person.at<float>(static_cast<int>(y * PersonSegmenter::side_px),
                              static_cast<int>(x * PersonSegmenter::side_px));
    };
    plausible += at(shot.head_x, shot.head_y) > 0.5f && at(shot.head_x, 0.95f) > 0.5f && at(0.03f, 0.05f) < 0.5f &&
                 at(0.97f, 0.05f) < 0.5f;
  }
  EXPECT_GE(plausible, photos * 8 / 10);
}

}  // namespace
}  // namespace atelier::render
