#include "image/resize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/test_images.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Resize : public testing::Test {
 protected:
  std::unique_ptr<const Node> node = make_resize();
  FakeContext context;
  FakeDevice device;

  Image resized(const Image& image, const std::map<std::string, Value>& params) {
    const auto outputs = run_node(*node, {{"images", {ImageSet{{image}}.to_artifact()}}}, params, context, device);
    EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().message);
    return ImageSet::from(outputs->at("images")).value().items.at(0);
  }
};

Image with_face(Image image, double x, double y, double unit) {
  image.face = level_face(x, y, unit);
  return image;
}

TEST_F(Resize, KeepsAsMuchOfThePersonAsThePhotoHolds) {
  const auto image = with_face(plain_image("a.jpg", 400, 200, {9, 9, 9}), 300, 80, 40);
  const auto result = resized(image, {{"size", 100}});
  EXPECT_EQ(result.width(), 100);
  EXPECT_EQ(result.height(), 100);
  EXPECT_FALSE(result.valid.has_value());
  // A crop of 200 x 200 with the face in its middle; scale 1/2.
  EXPECT_EQ(result.crop_left, 100);
  EXPECT_NEAR(result.face->landmarks[Face::nose].x, (300 - 200 + 0.5) / 2 - 0.5, 1e-9);
  EXPECT_NEAR(result.face->landmarks[Face::nose].y, (104 + 0.5) / 2 - 0.5, 1e-9);
  EXPECT_NEAR(result.face->box.height, 50, 1e-9);
  EXPECT_THAT(context.warnings, IsEmpty());
}

TEST_F(Resize, CropsCloserWhereTheFaceIsSmallerThanTheRatio) {
  const auto image = with_face(plain_image("a.jpg", 1000, 1000, {9, 9, 9}), 500, 500, 40);  // face 100 px high
  EXPECT_NEAR(resized(image, {{"size", 256}, {"face_ratio", 0.25}}).face->box.height, 64, 0.5);
  EXPECT_NEAR(resized(image, {{"size", 256}, {"face_ratio", 0.1}}).face->box.height, 25.6, 0.5);
}

TEST_F(Resize, ReflectsWhatACropAroundAFaceNeedsBeyondThePhotoAndCallsItInvalid) {
  const auto image = with_face(plain_image("a.jpg", 200, 200, {50, 60, 70}), 20, 40, 40);
  const auto result = resized(image, {{"size", 128}, {"around", "face"}, {"face_ratio", 0.5}});
  EXPECT_NEAR(result.face->box.height, 64, 0.5);
  ASSERT_TRUE(result.valid.has_value());
  const auto valid = result.valid->values<std::uint8_t>();
  EXPECT_EQ(valid[64 * 128], 0);
  EXPECT_EQ(valid[64 * 128 + 127], 255);
  EXPECT_EQ(pixel_of(result, 0, 64), (Rgb{50, 60, 70}));
}

TEST_F(Resize, TakesTheMiddleWhereNoFaceIsKnownAndSaysSo) {
  const auto result = resized(plain_image("a.jpg", 300, 150, {1, 2, 3}), {{"width", 64}, {"height", 128}});
  EXPECT_EQ(result.width(), 64);
  EXPECT_EQ(result.height(), 128);
  EXPECT_THAT(context.warnings, ElementsAre("a.jpg: no face is known; the middle of the picture is taken"));
}

TEST_F(Resize, TellsTheFactorWhenItEnlargesMoreThanTwice) {
  resized(plain_image("a.jpg", 128, 128, {1, 2, 3}), {{"size", 256}, {"around", "middle"}});
  EXPECT_THAT(context.warnings, IsEmpty());
  resized(plain_image("a.jpg", 100, 120, {1, 2, 3}), {{"size", 256}, {"around", "middle"}});
  EXPECT_THAT(context.warnings, ElementsAre("a.jpg: enlarged 2.6 times, from 100 x 100 to 256 x 256 pixels; a larger "
                                            "photo would give a sharper model"));
}

TEST_F(Resize, ShrinksByArea) {
  auto image = plain_image("a.jpg", 128, 128, {0, 0, 0});
  std::vector<std::uint8_t> bytes(128 * 128 * 3);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = i / 3 % 2 ? 200 : 100;  // columns in turn
  image.pixels = Tensor::of<std::uint8_t>({128, 128, 3}, std::move(bytes));
  EXPECT_EQ(pixel_of(resized(image, {{"size", 64}, {"around", "middle"}}), 10, 10), (Rgb{150, 150, 150}));
}

TEST_F(Resize, WantsWidthAndHeightTogether) {
  EXPECT_THAT(node->check(Params(node->spec(), {{"width", 64}}), {}),
              ElementsAre("width and height are given together, or neither"));
  EXPECT_THAT(node->check(Params(node->spec(), {}), {}), IsEmpty());
}

}  // namespace
}  // namespace atelier
