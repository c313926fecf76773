#include "training/encode_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/base_model.h"
#include "model/loras.h"
#include "model/tensors.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"
#include "types/captions.h"
#include "types/images.h"
#include "types/latents.h"

namespace atelier {
namespace {

using testing::ElementsAre;

Image picture(const std::string& name, std::int64_t width = 32, std::int64_t height = 32) {
  std::vector<std::uint8_t> values(static_cast<std::size_t>(3 * width * height));
  auto stream = RandomStream(0, "picture", sha256(name));
  for (auto& value : values) value = static_cast<std::uint8_t>(stream.below(256));
  Image image;
  image.name = name;
  image.photo = sha256(name);
  image.pixels = Tensor::of({height, width, 3}, values);
  return image;
}

Inputs inputs_of(std::vector<Image> images, std::vector<CaptionSet> captions = {{{{"a.png", "a person"}}}}) {
  Inputs inputs{{"base", {tiny_base()}}, {"images", {ImageSet{std::move(images)}.to_artifact()}}};
  for (const auto& set : captions) inputs["captions"].push_back(set.to_artifact());
  return inputs;
}

struct Encoded {
  Expected<Outputs> outputs;
  std::vector<std::string> warnings;

  Latents latents() const { return *Latents::from(outputs.value().at("latents")); }
};

Encoded encode(const Inputs& inputs, const std::map<std::string, Value>& params = {}) {
  FakeContext context;
  FakeDevice device;
  auto outputs = run_node(*make_encode_node(), inputs, params, context, device);
  return {std::move(outputs), context.warnings};
}

TEST(Encode, GivesTheVaesPosteriorOfEachPhoto) {
  const auto image = picture("a.png");
  const auto latents = encode(inputs_of({image})).latents();
  FakeDevice device;
  const auto vae = *resident_vae(*Model::from(tiny_base()), device);
  const auto pixels = as_torch(image.pixels).permute({2, 0, 1}).unsqueeze(0).to(at::kFloat) / 127.5 - 1;
  const auto posterior = vae->encode(pixels);
  ASSERT_TRUE(posterior);
  EXPECT_TRUE(at::allclose(as_torch(latents.photos[0].mean), posterior->mean[0], 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(as_torch(latents.photos[0].deviation), posterior->std()[0], 1e-5, 1e-6));
  EXPECT_EQ(latents.photos[0].photo, image.photo);
}

TEST(Encode, KeepsTheOrderOfPhotosInBatchesOfUnlikeSizes) {
  const auto latents =
      encode(inputs_of({picture("a.png"), picture("b.png"), picture("c.png", 48, 16), picture("d.png")}),
             {{"batch_size", 2}})
          .latents();
  std::vector<std::string> names;
  for (const auto& photo : latents.photos) names.push_back(photo.name);
  EXPECT_THAT(names, ElementsAre("a.png", "b.png", "c.png", "d.png"));
  EXPECT_THAT(latents.photos[2].mean.shape(), ElementsAre(4, 4, 12));
}

TEST(Encode, CarriesWhatWasNotInventedOnTheLatentsGrid) {
  auto image = picture("a.png");
  std::vector<std::uint8_t> valid(32 * 32, 255);
  for (std::size_t i = 0; i < 8; ++i) valid[i] = 0;  // half of the first row of two latents
  image.valid = Tensor::of({32, 32}, valid);
  const auto latents = encode(inputs_of({image, picture("b.png")})).latents();
  EXPECT_EQ(latents.photos[0].validity.values<float>()[0], 0.75f);
  EXPECT_EQ(latents.photos[0].validity.values<float>()[2], 1.0f);
  EXPECT_EQ(latents.photos[1].validity.values<float>()[0], 1.0f);
}

TEST(Encode, EncodesEveryDifferentCaptionOnceAndByItself) {
  const auto one = encode(inputs_of({picture("a.png")}, {{{{"a.png", "a person"}}}})).latents();
  const auto many = encode(inputs_of({picture("a.png")}, {{{{"a.png", "a person"}, {"b.png", "a person"}}},
                                                          {{{"a.png", "a wall"}, {"b.png", ""}}}}))
                        .latents();
  EXPECT_EQ(many.texts.size(), 3u);
  const auto alone = one.texts.at("a person").states.bytes(), among = many.texts.at("a person").states.bytes();
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), among.begin(), among.end()));
}

TEST(Encode, CarriesSizesRepeatsAndMirroredCopies) {
  auto image = picture("a.png", 48, 32);
  image.original_width = 1200;
  image.original_height = 800;
  image.crop_left = 3;
  image.crop_top = 5;
  image.repeats = 10;
  image.mirrored = true;
  const auto latents = encode(inputs_of({image})).latents();
  EXPECT_EQ(latents.photos[0].sizes, (PhotoSizes{800, 1200, 5, 3, 32, 48}));
  EXPECT_EQ(latents.photos[0].repeats, 10);
  EXPECT_TRUE(latents.photos[0].mirrored);
}

TEST(Encode, TakesLargeImagesThroughTheVaeInTilesWhenAsked) {
  const auto whole = encode(inputs_of({picture("a.png", 128, 128)})).latents();
  const auto tiled = encode(inputs_of({picture("a.png", 128, 128)}), {{"vae_tile_px", 64}}).latents();
  const auto one = as_torch(whole.photos[0].mean), other = as_torch(tiled.photos[0].mean);
  EXPECT_EQ(one.sizes(), other.sizes());
  EXPECT_FALSE(at::equal(one, other));
}

TEST(Encode, KeepsNoTextsWithoutCaptions) {
  auto inputs = inputs_of({picture("a.png")});
  inputs.erase("captions");
  const auto latents = encode(inputs, {{"max_token_length", 150}}).latents();
  EXPECT_TRUE(latents.texts.empty());
  EXPECT_EQ(latents.text_settings, (TextSettings{1, 150}));
}

TEST(Encode, TakesLongerCaptionsWhenAsked) {
  std::string caption;
  for (int i = 0; i < 100; ++i) caption += "a ";
  const auto encoded = encode(inputs_of({picture("a.png")}, {{{{"a.png", caption}}}}), {{"max_token_length", 225}});
  EXPECT_THAT(encoded.warnings, testing::IsEmpty());
  EXPECT_THAT(encoded.latents().texts.at(caption).states.shape(), ElementsAre(227, kTinyWidth));
}

TEST(Encode, TakesThePenultimateStatesAtClipSkipTwo) {
  const auto last = encode(inputs_of({picture("a.png")})).latents();
  const auto skipped = encode(inputs_of({picture("a.png")}), {{"clip_skip", 2}}).latents();
  FakeDevice device;
  const auto encoders = *resident_text_encoders(*Model::from(tiny_base()), device);
  const std::string caption = "a person";
  const auto wanted = encoders->encode(*encoders->caption_ids({&caption, 1}), {.clip_skip = 2});
  ASSERT_TRUE(wanted);
  EXPECT_TRUE(at::equal(as_torch(skipped.texts.at(caption).states), wanted->context[0]));
  EXPECT_FALSE(at::equal(as_torch(last.texts.at(caption).states), wanted->context[0]));
}

TEST(Encode, TellsATokenLengthThatKohyasToolsDoNotHave) {
  const auto node = make_encode_node();
  EXPECT_THAT(node->check(Params(node->spec(), {{"max_token_length", 100}}), {}),
              ElementsAre("param 'max_token_length' is 100; it can be 75, 150 or 225"));
}

TEST(Encode, RefusesASizeThatTheBaseDoesNotTake) {
  const auto encoded = encode(inputs_of({picture("a.png", 32, 34)}));
  ASSERT_FALSE(encoded.outputs);
  EXPECT_EQ(encoded.outputs.error().message,
            "a.png: 32 x 34 px; this base takes multiples of 4 px: resize the images first");
}

TEST(Encode, RefusesAFusedModel) {
  auto base = *Model::from(tiny_base());
  base.loras.push_back({LoraSet{}, 1});
  auto inputs = inputs_of({picture("a.png")});
  inputs["base"] = {base.to_artifact()};
  const auto encoded = encode(inputs);
  ASSERT_FALSE(encoded.outputs);
  EXPECT_EQ(encoded.outputs.error().message, "encode takes a base model; this one is fused");
}

TEST(Encode, TellsACaptionThatIsTooLong) {
  std::string caption;
  for (int i = 0; i < 100; ++i) caption += "a ";
  const auto encoded = encode(inputs_of({picture("a.png")}, {{{{"a.png", caption}}}}));
  EXPECT_THAT(encoded.warnings, ElementsAre("the caption \"" + caption.substr(0, 80) +
                                            "…\" is too long: its last 25 tokens are left out"));
}

TEST(Encode, StopsWhenAsked) {
  FakeContext context;
  FakeDevice device;
  context.stop_after = 0;
  const auto outputs = run_node(*make_encode_node(), inputs_of({picture("a.png")}), {}, context, device);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().kind, ErrorKind::stopped);
}

}  // namespace
}  // namespace atelier
