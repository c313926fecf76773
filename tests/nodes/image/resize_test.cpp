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

TEST_F(Resize, GivesEachPictureTheBucketOfItsShape) {
  const auto wide = resized(plain_image("a.jpg", 800, 600, {9, 9, 9}), {{"buckets", true}, {"around", "middle"}});
  EXPECT_EQ(wide.width(), 576);
  EXPECT_EQ(wide.height(), 448);
  // 800 x 600 at 448 px height is 597 x 448: ten px are cut off on the left.
  EXPECT_EQ(wide.crop_left, 10);
  EXPECT_EQ(wide.crop_top, 0);
  const auto tall = resized(plain_image("b.jpg", 1080, 2400, {9, 9, 9}), {{"buckets", true}, {"around", "middle"}});
  EXPECT_EQ(tall.width(), 320);
  EXPECT_EQ(tall.height(), 704);
}

TEST_F(Resize, EnlargesNothingWhereBucketsAreNotTo) {
  const auto image = with_face(plain_image("a.jpg", 400, 300, {9, 9, 9}), 250, 120, 10);
  const auto result = resized(image, {{"buckets", true}, {"bucket_no_upscale", true}});
  EXPECT_EQ(result.width(), 384);
  EXPECT_EQ(result.height(), 256);
  EXPECT_NEAR(result.face->box.height, image.face->box.height, 1e-9);  // though the face is small
}

TEST_F(Resize, AddsAMirroredCopyWithItsFaceAndValidityWhenAsked) {
  auto image = with_face(plain_image("a.jpg", 200, 128, {0, 0, 0}), 60, 64, 20);
  image.repeats = 7;
  std::vector<std::uint8_t> bytes(200 * 128 * 3), valid(200 * 128, 255);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(i / 3 % 200);  // grows to the right
  for (std::size_t i = 0; i < valid.size(); ++i)
    if (i % 200 < 30) valid[i] = 0;
  image.pixels = Tensor::of<std::uint8_t>({128, 200, 3}, std::move(bytes));
  image.valid = Tensor::of<std::uint8_t>({128, 200}, std::move(valid));
  const auto outputs = run_node(*node, {{"images", {ImageSet{{image}}.to_artifact()}}},
                                {{"size", 128}, {"flip", true}, {"face_ratio", 0.05}}, context, device);
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  const auto set = ImageSet::from(outputs->at("images")).value();
  ASSERT_EQ(set.items.size(), 2U);
  const auto &plain = set.items[0], &copy = set.items[1];
  EXPECT_FALSE(plain.mirrored);
  EXPECT_TRUE(copy.mirrored);
  EXPECT_EQ(copy.name, "a.mirrored.jpg");
  EXPECT_EQ(copy.photo, mirrored_photo(plain.photo));
  EXPECT_NE(copy.photo, plain.photo);
  EXPECT_EQ(copy.repeats, 7);
  for (const std::int64_t x : {0, 1, 50, 127}) {
    EXPECT_EQ(pixel_of(copy, x, 5), pixel_of(plain, 127 - x, 5));
    EXPECT_EQ(copy.valid->values<std::uint8_t>()[static_cast<std::size_t>(x)],
              plain.valid->values<std::uint8_t>()[static_cast<std::size_t>(127 - x)]);
  }
  EXPECT_EQ(plain.crop_left, 0);  // of 200 px: 72 are cut off on the right
  EXPECT_EQ(copy.crop_left, 72);
  EXPECT_EQ(copy.face->at(Face::right_eye).x, 127 - plain.face->at(Face::left_eye).x);
  EXPECT_EQ(copy.face->at(Face::nose).x, 127 - plain.face->at(Face::nose).x);
  EXPECT_LT(copy.face->at(Face::right_eye).x, copy.face->at(Face::left_eye).x);
  EXPECT_NEAR(copy.face->box.x, 127 - plain.face->box.x - plain.face->box.width, 1e-9);
}

TEST_F(Resize, RefusesAPhotoThatHasTheNameOfAMirroredCopy) {
  const ImageSet set{{plain_image("a.jpg", 64, 64, {1, 2, 3}), plain_image("a.mirrored.jpg", 64, 64, {1, 2, 3})}};
  const auto outputs = run_node(*node, {{"images", {set.to_artifact()}}},
                                {{"size", 64}, {"flip", true}, {"around", "middle"}}, context, device);
  ASSERT_FALSE(outputs.has_value());
  EXPECT_EQ(outputs.error().message,
            "a.mirrored.jpg: the mirrored copy of a.jpg would have this name; rename the photo");
}

TEST_F(Resize, TellsBucketsThatCannotBe) {
  const auto told = [&](std::map<std::string, Value> params) {
    params["buckets"] = true;
    return node->check(Params(node->spec(), params), {});
  };
  EXPECT_THAT(told({}), IsEmpty());
  EXPECT_THAT(told({{"bucket_max_px", 448}}), ElementsAre("bucket_max_px is 448, less than the 512 px of the size"));
  EXPECT_THAT(told({{"bucket_min_px", 576}}), ElementsAre("bucket_min_px is 576, more than the 512 px of the size"));
  EXPECT_THAT(told({{"bucket_no_upscale", true}, {"around", "face"}}),
              ElementsAre("bucket_no_upscale goes with around: person or middle; around: face enlarges small faces"));
}

TEST_F(Resize, WantsWidthAndHeightTogether) {
  EXPECT_THAT(node->check(Params(node->spec(), {{"width", 64}}), {}),
              ElementsAre("width and height are given together, or neither"));
  EXPECT_THAT(node->check(Params(node->spec(), {}), {}), IsEmpty());
}

}  // namespace
}  // namespace atelier
