#include "image/align.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <thread>

#include "image/pixels.h"
#include "image/upright_face.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/test_images.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::filesystem::path models = ATELIER_SOURCE_DIR "/models";

class Align : public testing::Test {
 protected:
  std::unique_ptr<Files> files = make_posix_files();
  std::unique_ptr<const Node> node = make_align(*files, models);
  FakeContext context;
  FakeDevice device;

  Expected<Outputs> run(const std::vector<Image>& images, const std::map<std::string, Value>& params = {}) {
    return run_node(*node, {{"images", {ImageSet{images}.to_artifact()}}}, params, context, device);
  }
};

TEST_F(Align, KeepsDropsOrFailsAPhotoWithoutAFaceAsItIsTold) {
  const auto blank = plain_image("wall.jpg", 120, 90, {90, 120, 150});
  const auto kept = ImageSet::from(run({blank})->at("images")).value();
  EXPECT_EQ(digest_of(kept.to_artifact()), digest_of(ImageSet{{blank}}.to_artifact()));
  EXPECT_THAT(context.warnings, ElementsAre("wall.jpg: no face was found; the photo is kept as it is"));
  context.warnings.clear();
  EXPECT_EQ(run({blank}, {{"on_no_face", "drop"}}).error().message, "no face was found in any of the photos (1 given)");
  EXPECT_THAT(context.warnings, ElementsAre("wall.jpg: no face was found; the photo is left out"));
  EXPECT_EQ(run({blank}, {{"on_no_face", "fail"}}).error().message,
            "wall.jpg: no face was found, and on_no_face is fail");
}

TEST_F(Align, ShowsAtMostTwelvePhotosBeforeAndAfterInSmall) {
  std::vector<Image> photos;
  for (int i = 10; i < 24; ++i)
    photos.push_back(plain_image("wall" + std::to_string(i) + ".jpg", 320, 200, {90, 120, 150}));
  ASSERT_TRUE(run(photos).has_value());
  EXPECT_EQ(context.previews.size(), 2U * 12U);
  EXPECT_TRUE(context.previews.contains("wall10.jpg/aligned"));
  EXPECT_FALSE(context.previews.contains("wall22.jpg/before"));
  const auto& png = context.previews.at("wall10.jpg/before");
  const auto small =
      cv::imdecode({reinterpret_cast<const std::uint8_t*>(png.data()), static_cast<int>(png.size())}, cv::IMREAD_COLOR);
  EXPECT_EQ(small.size(), cv::Size(160, 100));
}

TEST_F(Align, LoadsItsNetworksOncePerDevice) {
  const auto blank = plain_image("wall.jpg", 64, 64, {90, 120, 150});
  ASSERT_TRUE(run({blank}).has_value());
  ASSERT_TRUE(run({blank}).has_value());
  EXPECT_EQ(device.loads(), 2U);  // faces and person
}

TEST_F(Align, RefusesAModelThatIsNotTheOneThatShips) {
  TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "yunet");
  const auto path = folder.path() / "yunet" / "face_detection_yunet_2022mar.onnx";
  ASSERT_TRUE(write_file(*files, path, std::string_view("not a network")).has_value());
  const auto other = make_align(*files, folder.path());
  const Inputs inputs{{"images", {ImageSet{{plain_image("a.jpg", 64, 64, {1, 2, 3})}}.to_artifact()}}};
  const auto error = run_node(*other, inputs, {}, context, device).error();
  EXPECT_EQ(error.message, path.string() +
                               " is not the file that ships with atelier (expected sha256 "
                               "50ef07f702a31741ca46a4c0d947773b64143b9362780237bf0d427d6c79bab7); restore it");
  EXPECT_EQ(error.kind, ErrorKind::fault);
}

TEST_F(Align, StopsWhenAsked) {
  context.stop_after = 0;
  EXPECT_EQ(run({plain_image("a.jpg", 64, 64, {1, 2, 3})}).error().kind, ErrorKind::stopped);
}

class AssetsAlign : public Align {
 protected:
  void SetUp() override {
    if (!std::getenv("ATELIER_ASSETS")) GTEST_SKIP() << "ATELIER_ASSETS names no folder with the real photos";
  }
  static cv::Mat photo(const std::string& name) {
    cv::Mat rgb = cv::imread(std::string(std::getenv("ATELIER_ASSETS")) + "/photos/" + name);
    cv::cvtColor(rgb, rgb, cv::COLOR_BGR2RGB);
    return rgb;
  }
  static Image image_of(const std::string& name, const cv::Mat& rgb) {
    Image image = plain_image(name, 1, 1, {0, 0, 0});
    image.pixels = tensor_of(rgb);
    image.original_width = rgb.cols;
    image.original_height = rgb.rows;
    return image;
  }
  // Turned clockwise on a black canvas that holds it.
  static cv::Mat rotated(const cv::Mat& rgb, double degrees) {
    const double a = degrees * CV_PI / 180, c = std::abs(std::cos(a)), s = std::abs(std::sin(a));
    const cv::Size size(cvRound(rgb.cols * c + rgb.rows * s), cvRound(rgb.cols * s + rgb.rows * c));
    const cv::Point2f middle(static_cast<float>(rgb.cols - 1) / 2, static_cast<float>(rgb.rows - 1) / 2);
    cv::Mat map = cv::getRotationMatrix2D(middle, -degrees, 1), result;
    map.at<double>(0, 2) += (size.width - rgb.cols) / 2.0;
    map.at<double>(1, 2) += (size.height - rgb.rows) / 2.0;
    cv::warpAffine(rgb, result, map, size, cv::INTER_CUBIC);
    return result;
  }
  Image aligned(const Image& image, const std::map<std::string, Value>& params = {}) {
    const auto outputs = run({image}, params);
    EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().message);
    return ImageSet::from(outputs->at("images")).value().items.at(0);
  }
};

TEST_F(AssetsAlign, BringsAFaceTurnedByAnyMultipleOf30DegreesUprightAndLevel) {
  const FaceDetector detector(models / "yunet/face_detection_yunet_2022mar.onnx");
  const cv::Mat astronaut = photo("astronaut.png");
  for (int degrees = 0; degrees < 360; degrees += 30) {
    SCOPED_TRACE(degrees);
    const Image image = aligned(image_of("astronaut.png", rotated(astronaut, degrees)));
    ASSERT_TRUE(image.face.has_value());
    // Judged by the plain detector on the result, not by what the node says of itself.
    std::optional<Face> seen;
    for (const auto& face : detector.faces_in(mat_of(image.pixels)))
      if (!seen || face.score > seen->score) seen = face;
    ASSERT_TRUE(seen.has_value());
    EXPECT_TRUE(stands_upright(*seen));
    EXPECT_NEAR(eye_line_degrees(*image.face), 0, 2);
    EXPECT_TRUE(stands_upright(*image.face));
    // The photo itself is level to a degree: what was turned in must have been turned out.
    const auto again = find_upright_face(mat_of(image.pixels), detector, PersonSegmenter(models / "sinet/SINet.onnx"));
    ASSERT_TRUE(again.has_value());
    EXPECT_NEAR(again->turn_degrees, 0, 2);
  }
}

TEST_F(AssetsAlign, LeavesALevelPhotoUntouched) {
  const auto image = image_of("astronaut.png", photo("astronaut.png"));
  const auto result = aligned(image, {{"tolerance_deg", 10.0}});
  EXPECT_EQ(digest_of(ImageSet{{image}}.to_artifact()), [&] {
    auto without_face = result;
    without_face.face.reset();
    return digest_of(ImageSet{{without_face}}.to_artifact());
  }());
}

TEST_F(AssetsAlign, TurnsByQuartersWithoutLoss) {
  const cv::Mat upright = photo("astronaut.png");
  cv::Mat on_its_side;
  cv::rotate(upright, on_its_side, cv::ROTATE_90_COUNTERCLOCKWISE);
  const auto result = aligned(image_of("a.png", on_its_side), {{"tolerance_deg", 10.0}});
  EXPECT_EQ(cv::norm(mat_of(result.pixels), upright, cv::NORM_INF), 0);
  EXPECT_FALSE(result.valid.has_value());
}

TEST_F(AssetsAlign, BringsEyeLinesToThePresetDirection) {
  const auto result = aligned(image_of("a.png", photo("astronaut.png")), {{"angle_deg", 20.0}});
  EXPECT_NEAR(eye_line_degrees(*result.face), 20, 2);
}

TEST_F(AssetsAlign, TakesTheLargestOfSeveralFacesAndSaysSo) {
  const cv::Mat one = photo("random/ben-sasse.jpg");
  cv::Mat two(512, 800, CV_8UC3, cv::Scalar(200, 200, 200)), small;
  one.copyTo(two(cv::Rect(0, 0, 512, 512)));
  cv::resize(photo("random/mike-lee.jpg"), small, {150, 150}, 0, 0, cv::INTER_AREA);
  small.copyTo(two(cv::Rect(560, 100, 150, 150)));
  const auto result = aligned(image_of("two.jpg", two));
  EXPECT_THAT(context.warnings, ElementsAre("two.jpg: 2 faces; the largest one counts"));
  EXPECT_EQ(result.face->faces_found, 2);
  EXPECT_LT(result.face->landmarks[Face::nose].x, 512);
}

TEST_F(AssetsAlign, IsNotTakenInByAFacePrintedOnAShirt) {
  Image image = image_of("printed_face.jpg", [] {  // a skull, larger than the head above it
    cv::Mat rgb = cv::imread(ATELIER_SOURCE_DIR "/tests/nodes/image/printed_face.jpg");
    cv::cvtColor(rgb, rgb, cv::COLOR_BGR2RGB);
    return rgb;
  }());
  const auto result = aligned(image);
  EXPECT_THAT(context.warnings, IsEmpty());
  EXPECT_LT(result.face->landmarks[Face::nose].y, 0.4 * static_cast<double>(image.height()));
}

TEST_F(AssetsAlign, GivesTheSameBitsWhateverRunsBesideIt) {
  const auto image = image_of("a.png", rotated(photo("astronaut.png"), 25));
  const Digest alone = digest_of(ImageSet{{aligned(image)}}.to_artifact());
  std::vector<Digest> together(3);
  std::vector<std::thread> threads;
  for (auto& digest : together)
    threads.emplace_back([&] {
      FakeContext own;
      const Inputs inputs{{"images", {ImageSet{{image}}.to_artifact()}}};
      digest = digest_of(run_node(*node, inputs, {}, own, device)->at("images"));
    });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(together, testing::Each(alone));
}

}  // namespace
}  // namespace atelier
