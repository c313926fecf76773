#include "portrait/caption.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "portrait/colour_names.h"
#include "portrait/image_tags.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/test_images.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Image with_face(Image image, double x, double y, double unit) {
  image.face = level_face(x, y, unit);
  return image;
}

TEST(ImageTags, SayFramingByTheShareOfTheFace) {
  const auto image = plain_image("a", 200, 200, {128, 128, 128});
  EXPECT_THAT(tags_of(with_face(image, 100, 80, 40)),  // a face of 100 px
              ElementsAre("1 person", "close-up", "facing viewer", "plain grey background"));
  EXPECT_EQ(tags_of(with_face(image, 100, 80, 20)).at(1), "portrait");
  EXPECT_EQ(tags_of(with_face(image, 100, 80, 10)).at(1), "upper body");
}

TEST(ImageTags, SayWhereAFaceLooksAndHowManyThereAre) {
  auto image = with_face(plain_image("a", 200, 200, {128, 128, 128}), 100, 80, 20);
  image.face->faces_found = 3;
  image.face->landmarks[Face::nose].x = 92;
  EXPECT_EQ(tags_of(image).at(0), "3 people");
  EXPECT_EQ(tags_of(image).at(2), "facing left");
  image.face->landmarks[Face::nose].x = 108;
  EXPECT_EQ(tags_of(image).at(2), "facing right");
}

TEST(ImageTags, SayBrightnessAndBackground) {
  EXPECT_THAT(tags_of(plain_image("a", 64, 64, {10, 10, 10})), ElementsAre("dark photo", "plain black background"));
  EXPECT_THAT(tags_of(plain_image("a", 64, 64, {250, 250, 250})),
              ElementsAre("bright photo", "plain white background"));
  auto image = plain_image("a", 64, 64, {0, 0, 0});
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 64 * 64; ++i) {  // two of blue to one of orange
    const Rgb colour = i % 3 ? Rgb{20, 40, 220} : Rgb{250, 140, 10};
    bytes.insert(bytes.end(), colour.begin(), colour.end());
  }
  image.pixels = Tensor::of<std::uint8_t>({64, 64, 3}, std::move(bytes));
  EXPECT_THAT(tags_of(image), ElementsAre("blue background"));
}

TEST(ImageTags, LeaveOutPixelsThatAreNotThePhotosOwn) {
  auto image = plain_image("a", 64, 64, {30, 60, 200});
  image.valid = Tensor::of<std::uint8_t>({64, 64}, std::vector<std::uint8_t>(64 * 64, 0));
  EXPECT_THAT(tags_of(image), ElementsAre("dark photo"));
}

TEST(ColourNames, AreThoseOfEverydaySpeech) {
  const auto name = [](int r, int g, int b) {
    return std::string(colour_names[colour_of(
        cv::Vec3b(static_cast<std::uint8_t>(r), static_cast<std::uint8_t>(g), static_cast<std::uint8_t>(b)))]);
  };
  EXPECT_EQ(name(5, 5, 5), "black");
  EXPECT_EQ(name(128, 130, 127), "grey");
  EXPECT_EQ(name(250, 252, 250), "white");
  EXPECT_EQ(name(200, 20, 30), "red");
  EXPECT_EQ(name(250, 140, 10), "orange");
  EXPECT_EQ(name(110, 70, 30), "brown");
  EXPECT_EQ(name(240, 230, 30), "yellow");
  EXPECT_EQ(name(30, 140, 40), "green");
  EXPECT_EQ(name(30, 60, 200), "blue");
  EXPECT_EQ(name(130, 40, 190), "purple");
  EXPECT_EQ(name(250, 150, 190), "pink");
}

class CaptionNode : public testing::Test {
 protected:
  std::unique_ptr<const Node> node = make_caption();
  FakeContext context;
  FakeDevice device;

  std::string caption(Image image, const std::map<std::string, Value>& params = {}) {
    const auto outputs = run_node(*node, {{"images", {ImageSet{{image}}.to_artifact()}}}, params, context, device);
    const auto set = outputs->at("captions");
    return set.metadata["items"][0]["text"];
  }
  static Image said(const std::string& text) {
    auto image = plain_image("a.jpg", 64, 64, {128, 128, 128});
    image.text = text;
    return image;
  }
};

TEST_F(CaptionNode, TakesTheTextBesideThePhotoAndTagsOtherwise) {
  EXPECT_EQ(caption(said("a man by the sea")), "a man by the sea");
  EXPECT_EQ(caption(plain_image("a.jpg", 64, 64, {128, 128, 128})), "plain grey background");
}

TEST_F(CaptionNode, PutsPrefixAndSuffixAround) {
  EXPECT_EQ(caption(said("a man"), {{"prefix", "photo"}, {"suffix", "high quality"}}), "photo, a man, high quality");
}

TEST_F(CaptionNode, DropsTagsButNeverWordsOfSentences) {
  const std::map<std::string, Value> drop{{"drop", Value::List{"Smile", "red dress"}}};
  EXPECT_EQ(caption(said("woman, smile, red dress, long smile"), drop), "woman, long smile");
  EXPECT_EQ(caption(said("A woman with a smile in a red dress, smile."), drop),
            "A woman with a smile in a red dress, smile.");
  EXPECT_EQ(caption(said("a woman with a wide smile, smile"), drop), "a woman with a wide smile, smile");
}

TEST_F(CaptionNode, TellsAnEmptyCaption) {
  EXPECT_EQ(caption(said("")), "");
  EXPECT_THAT(context.warnings, ElementsAre("a.jpg: the caption is empty; a .txt beside the photo would give one"));
}

}  // namespace
}  // namespace atelier
