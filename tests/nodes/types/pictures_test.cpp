#include "types/pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include "support/memory_files.h"
#include "types/png.h"

namespace atelier {
namespace {

Picture picture_of(const std::string& prompt) {
  Picture picture;
  picture.name = "0001_seed3.png";
  picture.pixels = Tensor::of<std::uint8_t>({1, 2, 3}, std::vector<std::uint8_t>{10, 20, 30, 40, 50, 60});
  picture.metadata = {{"prompt", prompt}, {"negative_prompt", "blurry"}, {"seed", 3}, {"steps", 20}, {"guidance", 7.5},
                      {"sampler", "DDIM"}};
  return picture;
}

std::vector<std::uint8_t> decoded(const std::string& file, png_uint_32 format) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_memory(&image, file.data(), file.size()));
  image.format = format;
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
  EXPECT_TRUE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr));
  return pixels;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Pictures, SayWhatTheyWereMadeFromAsWebUiDoes) {
  EXPECT_EQ(webui_parameters(picture_of("a portrait of sks person")),
            "a portrait of sks person\nNegative prompt: blurry\nSteps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 3, "
            "Size: 2x1");
  EXPECT_EQ(webui_parameters({"x.png", picture_of("").pixels, nlohmann::json::object()}), "\nSize: 2x1");
}

TEST(Pictures, TellEverySettingByWebUisName) {
  auto picture = picture_of("a portrait");
  picture.metadata["sampler"] = "DPM++ 2M Karras";
  picture.metadata["timestep_spacing"] = "trailing";
  picture.metadata["guidance_rescale"] = 0.7;
  picture.metadata["width"] = 512;
  picture.metadata["height"] = 768;
  picture.metadata["clip_skip"] = 2;
  picture.metadata["second_pass_strength"] = 0.38;
  picture.metadata["second_pass_scale"] = 2.0;
  picture.metadata["second_pass_steps"] = 30;
  picture.metadata["vae_tile"] = 512;
  picture.metadata["loras"] = {{{"name", "sks"}, {"weight", 0.8}}, {{"weight", 1.0}}};
  EXPECT_EQ(webui_parameters(picture),
            "a portrait\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M Karras, Timestep spacing: trailing, CFG "
            "scale: 7.5, CFG rescale: 0.7, Seed: 3, Size: 512x768, Clip skip: 2, Denoising strength: 0.38, Hires "
            "upscale: 2.0, Hires steps: 30, VAE tile: 512, Lora weights: \"sks: 0.8, 1.0\"");
}

TEST(Pictures, AreWrittenAsPngWithTheirParametersInside) {
  MemoryFiles files;
  const PictureSet set{{picture_of("a portrait")}};
  ASSERT_TRUE(make_pictures_type(files)->write(set.to_artifact(), "/out", "pictures/").has_value());
  const auto file = files.text("/out/0001_seed3.png").value();
  EXPECT_EQ(decoded(file, PNG_FORMAT_RGB), (std::vector<std::uint8_t>{10, 20, 30, 40, 50, 60}));
  EXPECT_NE(file.find(std::string("tEXtparameters\0a portrait\nNegative prompt: blurry", 48)), std::string::npos);
}

TEST(Pictures, ComeBackFromTheirArtifact) {
  const auto back = PictureSet::from(PictureSet{{picture_of("p")}}.to_artifact()).value();
  ASSERT_EQ(back.items.size(), 1U);
  EXPECT_EQ(back.items[0].name, "0001_seed3.png");
  EXPECT_EQ(back.items[0].metadata, picture_of("p").metadata);
}

TEST(Png, KeepsTextBeyondAsciiAsUtf8) {
  const auto file = text_of(encode_png(picture_of("").pixels, {{"parameters", "caf\xC3\xA9"}}).value());
  EXPECT_NE(file.find("iTXtparameters"), std::string::npos);
  EXPECT_NE(file.find("caf\xC3\xA9"), std::string::npos);
}

TEST(Png, IsGreyForAMask) {
  const auto mask = Tensor::of<std::uint8_t>({2, 1}, std::vector<std::uint8_t>{7, 250});
  EXPECT_EQ(decoded(text_of(encode_png(mask).value()), PNG_FORMAT_GRAY), (std::vector<std::uint8_t>{7, 250}));
  EXPECT_EQ(encode_png(mask).value(), encode_png(mask).value());
}

TEST(Png, IsMadeFromBytesOnly) {
  const auto error = encode_png(Tensor::of<float>({1, 1}, std::vector<float>(1))).error();
  EXPECT_EQ(error.message, "a PNG is made from u8 [height, width, 3] or [height, width]");
  EXPECT_EQ(error.kind, ErrorKind::fault);
}

}  // namespace
}  // namespace atelier
