#include "image/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "encoded_photos.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/test_images.h"
#include "types/images.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Load : public testing::Test {
 protected:
  MemoryFiles files;
  std::unique_ptr<const Node> node = make_load(files);
  FakeContext context;
  FakeDevice device;

  void put(const std::string& name, const std::string& bytes) { files.put("/in/" + name, bytes); }
  Expected<Outputs> run(const std::map<std::string, Value>& params = {}) {
    return run_node(*node, {{"photos", {folder_input(files, "/in")}}}, params, context, device);
  }
  ImageSet loaded(const std::map<std::string, Value>& params = {}) {
    const auto outputs = run(params);
    EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().message);
    return outputs ? ImageSet::from(outputs->at("images")).value() : ImageSet{};
  }
};

constexpr Rgb red{255, 0, 0}, green{0, 255, 0}, blue{0, 0, 255}, white{255, 255, 255};

void expect_near(Rgb actual, Rgb expected, int tolerance) {
  for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(actual[c], expected[c], tolerance);
}

TEST_F(Load, ReadsJpegPngAndWebpAsRgbInTheOrderOfTheirNames) {
  put("c.png", encoded(".png", quarters(80, 64)));
  put("a.jpg", encoded(".jpg", quarters(80, 64), {cv::IMWRITE_JPEG_QUALITY, 100}));
  put("b.webp", encoded(".webp", quarters(80, 64), {cv::IMWRITE_WEBP_QUALITY, 101}));
  const auto set = loaded();
  ASSERT_EQ(set.items.size(), 3U);
  for (const auto& image : set.items) {
    EXPECT_EQ(image.width(), 80);
    EXPECT_EQ(image.height(), 64);
    EXPECT_EQ(image.original_width, 80);
    expect_near(pixel_of(image, 10, 10), red, 3);
    expect_near(pixel_of(image, 70, 10), green, 3);
    expect_near(pixel_of(image, 10, 60), blue, 3);
    EXPECT_FALSE(image.valid.has_value());
  }
  EXPECT_EQ(set.items[0].name, "a.jpg");
  EXPECT_EQ(set.items[1].name, "b.webp");
  EXPECT_EQ(set.items[2].photo, sha256(*files.text("/in/c.png")));
  EXPECT_THAT(context.warnings, IsEmpty());
}

TEST_F(Load, TurnsEachExifOrientationUpright) {
  const cv::Mat seen = quarters(96, 64);
  cv::Mat stored[9];
  for (int k = 1; k <= 4; ++k) stored[k] = seen.clone();
  cv::flip(seen, stored[2], 1);
  cv::rotate(seen, stored[3], cv::ROTATE_180);
  cv::flip(seen, stored[4], 0);
  cv::transpose(seen, stored[5]);
  cv::rotate(seen, stored[6], cv::ROTATE_90_COUNTERCLOCKWISE);
  cv::rotate(stored[5], stored[7], cv::ROTATE_180);
  cv::rotate(seen, stored[8], cv::ROTATE_90_CLOCKWISE);
  for (int k = 1; k <= 8; ++k)
    put(std::to_string(k) + ".jpg",
        with_orientation(encoded(".jpg", stored[k], {cv::IMWRITE_JPEG_QUALITY, 100}), k, k % 2 == 0));
  const auto set = loaded();
  ASSERT_EQ(set.items.size(), 8U);
  for (const auto& image : set.items) {
    SCOPED_TRACE(image.name);
    ASSERT_EQ(image.width(), 96);
    expect_near(pixel_of(image, 10, 10), red, 4);
    expect_near(pixel_of(image, 85, 10), green, 4);
    expect_near(pixel_of(image, 10, 55), blue, 4);
    expect_near(pixel_of(image, 85, 55), white, 4);
  }
}

TEST_F(Load, MakesSixteenBitAndGreyPicturesEightBitRgb) {
  put("deep.png", encoded(".png", cv::Mat(64, 64, CV_16UC3, cv::Scalar(0, 128 * 257, 65535))));
  put("grey.png", encoded(".png", cv::Mat(64, 64, CV_8UC1, cv::Scalar(77))));
  put("grey.jpg", encoded(".jpg", cv::Mat(64, 64, CV_8UC1, cv::Scalar(77))));
  const auto set = loaded();
  ASSERT_EQ(set.items.size(), 3U);
  EXPECT_EQ(pixel_of(set.items[0], 5, 5), (Rgb{255, 128, 0}));
  EXPECT_EQ(pixel_of(set.items[1], 5, 5), (Rgb{77, 77, 77}));
  EXPECT_EQ(pixel_of(set.items[2], 5, 5), (Rgb{77, 77, 77}));
}

TEST_F(Load, PutsTransparentPixelsOnWhiteAndCallsThemInvalid) {
  cv::Mat bgra(64, 64, CV_8UC4, cv::Scalar(0, 0, 255, 255));
  bgra(cv::Rect(0, 0, 32, 64)).setTo(cv::Scalar(0, 0, 255, 0));
  bgra(cv::Rect(0, 32, 32, 32)).setTo(cv::Scalar(0, 0, 255, 51));
  put("a.png", encoded(".png", bgra));
  put("b.webp", encoded(".webp", bgra, {cv::IMWRITE_WEBP_QUALITY, 101}));
  for (const auto& image : loaded().items) {
    SCOPED_TRACE(image.name);
    EXPECT_EQ(pixel_of(image, 5, 5), white);
    expect_near(pixel_of(image, 5, 50), Rgb{255, 204, 204}, 1);
    expect_near(pixel_of(image, 50, 50), red, 1);
    ASSERT_TRUE(image.valid.has_value());
    const auto valid = image.valid->values<std::uint8_t>();
    EXPECT_EQ(valid[0], 0);
    EXPECT_EQ(valid[50 * 64 + 5], 51);
    EXPECT_EQ(valid[63], 255);
  }
}

TEST_F(Load, LeavesOutWhatCannotBeUsedAndSaysWhy) {
  const std::string jpeg = encoded(".jpg", quarters(200, 200)), png = encoded(".png", quarters(200, 200));
  put("good.jpg", jpeg);
  put("cut.jpg", jpeg.substr(0, jpeg.size() / 2));
  put("cut.png", png.substr(0, png.size() / 2));
  put("cut.webp", encoded(".webp", quarters(200, 200)).substr(0, 60));
  put("empty.jpg", "");
  put("text.jpg", "not a picture");
  put("riff.webp", "RIFF");
  put("small.png", encoded(".png", quarters(63, 200)));
  put("large.png", encoded(".png", cv::Mat(1001, 1000, CV_8UC1, cv::Scalar(0))));
  std::string damaged = png;
  damaged[60] = static_cast<char>(damaged[60] ^ 0x55);
  put("damaged.png", damaged);
  put("damaged.jpg", std::string("\xff\xd8\xff\xe0", 4) + std::string(60, 'x'));
  EXPECT_EQ(loaded({{"max_megapixels", 1}}).items.size(), 1U);
  EXPECT_THAT(
      context.warnings,
      ElementsAre("cut.jpg: left out: the file is cut off (JPEG)", "cut.png: left out: the file is cut off (PNG)",
                  "cut.webp: left out: the file is damaged or cut off (WebP)",
                  "damaged.jpg: left out: the file is cut off (JPEG)",
                  "damaged.png: left out: the file is damaged (PNG)", "empty.jpg: left out: the file is empty",
                  "large.png: left out: 1000 x 1001 pixels, more than max_megapixels 1 allows",
                  "riff.webp: left out: the file is neither JPEG nor PNG nor WebP",
                  "small.png: left out: 63 x 200 pixels; both sides must have at least 64",
                  "text.jpg: left out: the file is neither JPEG nor PNG nor WebP"));
}

// A scan is a pass over all pixels for a few bytes of the file.
TEST_F(Load, LeavesOutAPhotoThatIsMadeToTakeLong) {
  const std::string progressive = encoded(".jpg", quarters(64, 64), {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  const auto last = progressive.rfind("\xFF\xDA");
  const std::string scan = progressive.substr(last, progressive.size() - 2 - last);
  const auto with_scans = [&](int more) {
    std::string file = progressive.substr(0, progressive.size() - 2);
    for (int i = 0; i < more; ++i) file += scan;
    return file + "\xFF\xD9";
  };
  put("few.jpg", with_scans(0));
  put("many.jpg", with_scans(200));
  EXPECT_EQ(loaded().items.size(), 1U);
  EXPECT_THAT(context.warnings,
              ElementsAre("many.jpg: left out: the file has more than 100 scans, which no camera writes (JPEG)"));
}

TEST_F(Load, FailsWhenNoPhotoIsLeft) {
  put("a.jpg", "x");
  put("b.png", "");
  EXPECT_EQ(run().error().message,
            "none of the photos can be used (2 given): a.jpg: left out: the file is neither JPEG nor PNG nor WebP; "
            "b.png: left out: the file is empty");
  EXPECT_EQ(run().error().kind, ErrorKind::input);
}

TEST_F(Load, ReadsTheCaptionsBesideAPhoto) {
  put("a.png", encoded(".png", quarters(64, 64)));
  put("a.txt",
      "\xEF\xBB\xBF"
      "a man,\n smiling\n");
  put("a.portrait.txt", "a man");
  put("a.background.txt", "a wall");
  put("b.png", encoded(".png", quarters(64, 64)));
  put("b.txt", "caf\xE9");
  put("c.png", encoded(".png", quarters(64, 64)));
  put("c.txt", std::string(65537, 'a'));
  const auto set = loaded();
  EXPECT_EQ(set.items[0].text, "a man, smiling");
  EXPECT_EQ(set.items[0].portrait_text, "a man");
  EXPECT_EQ(set.items[0].background_text, "a wall");
  EXPECT_EQ(set.items[1].text, std::nullopt);
  EXPECT_EQ(set.items[2].text, std::nullopt);
  EXPECT_THAT(context.warnings, ElementsAre("b.txt: this caption is not used: it is not UTF-8 text",
                                            "c.txt: this caption is not used: it has 65537 bytes; expected at most "
                                            "65536"));
}

TEST_F(Load, TakesRepeatsAndCaptionFromKohyasFoldersAndTellsThem) {
  put("10_sks person/a.png", encoded(".png", quarters(64, 64)));
  put("10_sks person/a.txt", "own words");
  put("10_sks person/b.png", encoded(".png", quarters(64, 64)));
  put("1_dog/c.png", encoded(".png", quarters(64, 64)));
  const auto set = loaded();
  ASSERT_EQ(set.items.size(), 3U);
  EXPECT_EQ(set.items[0].text, "own words");
  EXPECT_EQ(set.items[0].repeats, 10);
  EXPECT_EQ(set.items[1].text, "sks person");
  EXPECT_EQ(set.items[1].repeats, 10);
  EXPECT_EQ(set.items[2].text, "dog");
  EXPECT_EQ(set.items[2].repeats, 1);
  EXPECT_THAT(
      context.warnings,
      ElementsAre("folder '10_sks person': 2 photos, 10 times in a round, captioned \"sks person\" where there is no "
                  ".txt",
                  "folder '1_dog': 1 photo, 1 time in a round, captioned \"dog\" where there is no .txt"));
}

TEST_F(Load, ShrinksWhatIsLargerThanWanted) {
  put("a.png", encoded(".png", quarters(400, 200)));
  const auto image = loaded({{"max_side_px", 100}}).items.at(0);
  EXPECT_EQ(image.width(), 100);
  EXPECT_EQ(image.height(), 50);
  EXPECT_EQ(image.original_width, 400);
}

TEST_F(Load, RefusesAPhotoThatChangedAfterThePlan) {
  put("a.png", encoded(".png", quarters(64, 64)));
  const auto input = folder_input(files, "/in");
  put("a.png", encoded(".png", quarters(65, 65)));
  EXPECT_EQ(run_node(*node, {{"photos", {input}}}, {}, context, device).error().message,
            "/in/a.png was changed after the run began; start the run again");
}

}  // namespace
}  // namespace atelier
