#include "portrait/segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "image/align.h"
#include "image/pixels.h"
#include "image/resize.h"
#include "image/thumbnail.h"
#include "portrait/face_shape.h"
#include "portrait/guided_filter.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/test_images.h"
#include "types/masks.h"

namespace atelier {
namespace {

using testing::ElementsAre;

TEST(GuidedFilter, BringsAMaskToTheEdgeOfItsGuide) {
  cv::Mat guide(40, 40, CV_32FC1, cv::Scalar(0.1)), rough(40, 40, CV_32FC1, cv::Scalar(0));
  guide.colRange(20, 40).setTo(0.9);
  rough.colRange(17, 40).setTo(1);  // three pixels off
  const cv::Mat mask = refined(rough, guide, {.radius_px = 6, .epsilon = 1e-4});
  EXPECT_LT(mask.at<float>(20, 17), 0.5);
  EXPECT_GT(mask.at<float>(20, 21), 0.9);
  double low = 0, high = 0;
  cv::minMaxLoc(mask, &low, &high);
  EXPECT_GE(low, 0);
  EXPECT_LE(high, 1);
}

TEST(FaceShape, LiesAroundTheLandmarksWhicheverWayTheFaceIsTilted) {
  Face face = level_face(100, 100, 20);
  const cv::Mat level = head_shape({200, 200}, face, 4);
  EXPECT_EQ(level.at<float>(100, 100), 1);
  EXPECT_EQ(level.at<float>(70, 100), 1);                                     // hair
  EXPECT_EQ(level.at<float>(138, 100), 1);                                    // neck
  EXPECT_EQ(level.at<float>(138, 125), 0);                                    // shoulder
  EXPECT_EQ(level.at<float>(160, 100), 0);                                    // chest
  for (auto& p : face.landmarks) p = {100 - (p.y - 100), 100 + (p.x - 100)};  // lying on the side
  const cv::Mat lying = head_shape({200, 200}, face, 4);
  EXPECT_EQ(lying.at<float>(100, 62), 1);  // neck
  EXPECT_EQ(lying.at<float>(160, 100), 0);
}

TEST(FaceShape, FallsOffWithinTheFeather) {
  const cv::Mat shape = face_shape({200, 200}, level_face(100, 100, 20), 10);
  int partly = 0;
  for (int y = 100; y < 200; ++y) partly += shape.at<float>(y, 100) > 0 && shape.at<float>(y, 100) < 1;
  EXPECT_NEAR(partly, 10, 3);
}

class Segment : public testing::Test {
 protected:
  const std::filesystem::path models = ATELIER_SOURCE_DIR "/models";
  std::unique_ptr<Files> files = make_posix_files();
  std::unique_ptr<const Node> node = make_segment(*files, models);
  FakeContext context;
  FakeDevice device;

  struct Masks {
    Mask portrait, background, whole;
  };
  Masks segmented(const Image& image, const std::map<std::string, Value>& params = {}) {
    const auto outputs = run_node(*node, {{"images", {ImageSet{{image}}.to_artifact()}}}, params, context, device);
    EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().message);
    const auto mask = [&](const char* port) { return MaskSet::from(outputs->at(port)).value().items.at(0); };
    return {mask("portrait"), mask("background"), mask("whole")};
  }
};

TEST(UnderMask, KeepsThePortraitTintsTheBackgroundAndBlackensWhatIsInvented) {
  const cv::Mat rgb(1, 3, CV_8UC3, cv::Scalar(200, 150, 100));
  const cv::Mat portrait = (cv::Mat_<std::uint8_t>(1, 3) << 255, 0, 0),
                whole = (cv::Mat_<std::uint8_t>(1, 3) << 255, 255, 0);
  const cv::Mat shown = under_mask(rgb, portrait, whole);
  EXPECT_EQ(shown.at<cv::Vec3b>(0, 0), cv::Vec3b(200, 150, 100));
  EXPECT_GT(shown.at<cv::Vec3b>(0, 1)[2], shown.at<cv::Vec3b>(0, 1)[0]) << "bluer than red";
  EXPECT_EQ(shown.at<cv::Vec3b>(0, 2), cv::Vec3b(0, 0, 0));
}

TEST_F(Segment, ShowsTheMaskOverThePhoto) {
  segmented(plain_image("wall.jpg", 64, 64, {90, 120, 150}));
  EXPECT_EQ(context.previews.size(), 1U);
  EXPECT_TRUE(context.previews.contains("wall.jpg/mask"));
}

void expect_parts_of_validity(const Image& image, const Mask& portrait, const Mask& background, const Mask& whole) {
  const auto p = portrait.mask.values<std::uint8_t>(), b = background.mask.values<std::uint8_t>(),
             w = whole.mask.values<std::uint8_t>();
  for (std::size_t i = 0; i < p.size(); ++i) {
    ASSERT_EQ(p[i] + b[i], w[i]);
    ASSERT_EQ(w[i], image.valid ? image.valid->values<std::uint8_t>()[i] : 255);
  }
}

TEST_F(Segment, TakesAnEllipseAroundTheFaceWhereThereIsNoPerson) {
  auto image = plain_image("wall.jpg", 128, 128, {120, 160, 200});
  image.face = level_face(64, 50, 20);
  std::vector<std::uint8_t> valid(128 * 128, 255);
  for (std::size_t i = 0; i < 128 * 64; ++i) valid[i] = 100;
  image.valid = Tensor::of<std::uint8_t>({128, 128}, std::move(valid));
  const auto masks = segmented(image);
  EXPECT_THAT(context.warnings,
              ElementsAre("wall.jpg: no person was found; an ellipse around the face counts as the portrait"));
  expect_parts_of_validity(image, masks.portrait, masks.background, masks.whole);
  EXPECT_EQ(masks.portrait.mask.values<std::uint8_t>()[50 * 128 + 64], 100);
  EXPECT_EQ(masks.portrait.mask.values<std::uint8_t>()[120 * 128 + 10], 0);
}

TEST_F(Segment, CallsAPictureWithoutPersonAndFaceBackground) {
  const auto masks = segmented(plain_image("wall.jpg", 128, 128, {120, 160, 200}));
  EXPECT_THAT(context.warnings,
              ElementsAre("wall.jpg: no person was found, nor a face; the whole picture counts as background"));
  EXPECT_EQ(masks.portrait.share(), 0);
  EXPECT_EQ(masks.background.share(), 1);
}

class AssetsSegment : public Segment {
 protected:
  void SetUp() override {
    if (!std::getenv("ATELIER_ASSETS")) GTEST_SKIP() << "ATELIER_ASSETS names no folder with the real photos";
  }
  Image prepared(const std::string& name) {
    cv::Mat rgb = cv::imread(std::string(std::getenv("ATELIER_ASSETS")) + "/photos/" + name);
    cv::cvtColor(rgb, rgb, cv::COLOR_BGR2RGB);
    Image image = plain_image(name, 1, 1, {0, 0, 0});
    image.pixels = tensor_of(rgb);
    const auto aligned =
        run_node(*make_align(*files, models), {{"images", {ImageSet{{image}}.to_artifact()}}}, {}, context, device);
    const auto sized =
        run_node(*make_resize(), {{"images", {aligned->at("images")}}}, {{"size", 256}}, context, device);
    context.warnings.clear();
    return ImageSet::from(sized->at("images")).value().items.at(0);
  }
  static double at(const Mask& mask, double x, double y) {
    const auto column = std::clamp<std::int64_t>(std::lround(x), 0, mask.width() - 1);
    const auto row = std::clamp<std::int64_t>(std::lround(y), 0, mask.height() - 1);
    return mask.mask.values<std::uint8_t>()[static_cast<std::size_t>(row * mask.width() + column)] / 255.0;
  }
};

TEST_F(AssetsSegment, CoversTheFaceAndLeavesBackgroundAndClothingOut) {
  for (const char* name : {"astronaut.png", "random/amy-klobuchar.jpg", "random/brian-schatz.jpg",
                           "customers/customer-a/yes_24.jpg", "customers/customer-b/milk_6.jpg"}) {
    SCOPED_TRACE(name);
    const Image image = prepared(name);
    ASSERT_TRUE(image.face.has_value());
    const auto masks = segmented(image);
    EXPECT_THAT(context.warnings, testing::IsEmpty());
    expect_parts_of_validity(image, masks.portrait, masks.background, masks.whole);
    for (const auto& p : image.face->landmarks) EXPECT_GT(at(masks.portrait, p.x, p.y), 0.9);
    const Face& face = *image.face;
    const double unit = face.box.height / 2.5, eyes = face.landmarks[Face::right_eye].y;
    EXPECT_LT(at(masks.portrait, 2, 2), 0.1);                                             // a corner above the head
    EXPECT_LT(at(masks.portrait, face.landmarks[Face::nose].x, eyes + 3.2 * unit), 0.1);  // the chest
  }
}

TEST_F(AssetsSegment, GrowsFromFaceToHeadToPerson) {
  const Image image = prepared("astronaut.png");
  const double face = segmented(image, {{"region", "face"}}).portrait.share();
  const double head = segmented(image, {{"region", "head"}}).portrait.share();
  const double person = segmented(image, {{"region", "person"}}).portrait.share();
  EXPECT_LT(face * 1.3, head);
  EXPECT_LT(head * 1.3, person);
}

TEST_F(AssetsSegment, GivesTheSameMasksAgain) {
  const Image image = prepared("astronaut.png");
  const auto digest = [](const Mask& mask) { return sha256(mask.mask.bytes()); };
  EXPECT_EQ(digest(segmented(image).portrait), digest(segmented(image).portrait));
}

TEST_F(AssetsSegment, SaysThatWithoutAFaceTheWholePersonCounts) {
  Image image = prepared("random/brian-schatz.jpg");
  image.face.reset();
  segmented(image);
  EXPECT_THAT(context.warnings,
              ElementsAre("random/brian-schatz.jpg: no face is known; the whole person counts as the portrait"));
}

}  // namespace
}  // namespace atelier
