#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/memory_files.h"
#include "support/test_images.h"
#include "types/captions.h"
#include "types/images.h"
#include "types/masks.h"
#include "types/utf8.h"

namespace atelier {
namespace {

using testing::ElementsAre;

ImageSet two_images() {
  ImageSet set;
  set.items = {plain_image("a.jpg", 3, 2, {1, 2, 3}), plain_image("b.png", 2, 2, {4, 5, 6})};
  set.items[0].valid = Tensor::of<std::uint8_t>({2, 3}, std::vector<std::uint8_t>{255, 0, 9, 255, 255, 255});
  set.items[0].face = level_face(1.25, 0.5, 0.3);
  set.items[0].face->faces_found = 2;
  set.items[1].text = "a b\xC3\xA9";
  set.items[1].portrait_text = "face";
  set.items[1].crop_left = 7;
  return set;
}

TEST(ImageSet, ComesBackFromItsArtifact) {
  const auto back = ImageSet::from(two_images().to_artifact()).value();
  ASSERT_EQ(back.items.size(), 2U);
  const Image& first = back.items[0];
  EXPECT_EQ(first.name, "a.jpg");
  EXPECT_EQ(first.photo, sha256("a.jpg"));
  EXPECT_EQ(first.face, two_images().items[0].face);
  EXPECT_EQ(first.valid->values<std::uint8_t>()[2], 9);
  EXPECT_EQ(back.items[1].text, "a b\xC3\xA9");
  EXPECT_EQ(back.items[1].portrait_text, "face");
  EXPECT_EQ(back.items[1].background_text, std::nullopt);
  EXPECT_EQ(back.items[1].crop_left, 7);
  EXPECT_EQ(digest_of(back.to_artifact()), digest_of(two_images().to_artifact()));
}

TEST(ImageSet, SaysWhatIsWrongWithAnArtifact) {
  const auto error = [](const Artifact& artifact) { return ImageSet::from(artifact).error(); };
  EXPECT_EQ(error({}).message, "the artifact is not one of type images");
  EXPECT_EQ(error({}).kind, ErrorKind::fault);
  auto artifact = two_images().to_artifact();
  artifact.tensors.erase("pixels/001");
  EXPECT_EQ(error(artifact).message, "tensor pixels/001 is missing");
  artifact.tensors["pixels/001"] = Tensor::of<float>({2, 2}, std::vector<float>(4));
  EXPECT_EQ(error(artifact).message, "tensor pixels/001 is f32 [2, 2]; expected u8 [height, width, 3]");
  artifact = two_images().to_artifact();
  artifact.tensors["valid/000"] = Tensor::of<std::uint8_t>({1, 1}, std::vector<std::uint8_t>(1));
  EXPECT_EQ(error(artifact).message, "a.jpg: the validity mask is not of the image's size");
}

TEST(MaskSet, KnowsItsShare) {
  const Mask mask{"a", Tensor::of<std::uint8_t>({1, 4}, std::vector<std::uint8_t>{255, 0, 0, 255})};
  EXPECT_DOUBLE_EQ(mask.share(), 0.5);
  const auto back = MaskSet::from(MaskSet{{mask}}.to_artifact()).value();
  EXPECT_EQ(back.items[0].name, "a");
  EXPECT_EQ(MaskSet::from(two_images().to_artifact()).error().message, "the artifact is not one of type masks");
}

TEST(FaceFacts, GiveTheAngleOfTheEyeLine) {
  Face face = level_face(10, 10, 4);
  EXPECT_DOUBLE_EQ(eye_line_degrees(face), 0);
  face.landmarks[Face::left_eye].y += 4;
  EXPECT_DOUBLE_EQ(eye_line_degrees(face), 45);
}

TEST(Outputs, OfImagesMasksAndCaptionsAreFoldersNamedAfterThePhotos) {
  MemoryFiles files;
  ASSERT_TRUE(make_images_type(files)->write(two_images().to_artifact(), "/out/images", "images/").has_value());
  const MaskSet masks{{{"a.jpg", Tensor::of<std::uint8_t>({1, 1}, std::vector<std::uint8_t>(1))}}};
  ASSERT_TRUE(make_masks_type(files)->write(masks.to_artifact(), "/out/masks", "masks/").has_value());
  const CaptionSet captions{{{"a.jpg", "one"}, {"a.png", "two"}, {"b.png", "three"}}};
  ASSERT_TRUE(make_captions_type(files)->write(captions.to_artifact(), "/out/captions", "captions/").has_value());
  EXPECT_THAT(files.all_files(),
              ElementsAre("/out/captions/a.jpg.txt", "/out/captions/a.png.txt", "/out/captions/b.txt",
                          "/out/images/a.png", "/out/images/b.png", "/out/masks/a.png"));
  EXPECT_EQ(files.text("/out/captions/b.txt"), "three\n");
  EXPECT_EQ(make_images_type(files)->check_output_path("x"), "images are written as a folder: end the path with '/'");
}

TEST(Utf8, IsToldFromOtherBytes) {
  for (const char* good : {"", "abc", "caf\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) EXPECT_TRUE(is_utf8(good));
  for (const char* bad : {"\xE9", "\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\x80"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(Captions, BecomeOneLine) {
  EXPECT_EQ(as_one_line("\xEF\xBB\xBF  a man,\r\n\tsmiling \n"), "a man, smiling");
  EXPECT_EQ(as_one_line(" \n"), "");
}

}  // namespace
}  // namespace atelier
