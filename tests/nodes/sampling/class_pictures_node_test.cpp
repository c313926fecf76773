#include "sampling/class_pictures_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sampling/sample_node.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"
#include "training/dataset_node.h"
#include "training/encode_node.h"
#include "types/captions.h"
#include "types/dataset.h"
#include "types/images.h"
#include "types/model.h"
#include "types/pictures.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::map<std::string, Value> kTwo{{"prompt", "a person"}, {"count", 2}, {"seed", 5}, {"steps", 1}};

std::map<std::string, Value> with(std::map<std::string, Value> params, const std::string& name, Value value) {
  params[name] = std::move(value);
  return params;
}

struct Made {
  std::vector<Image> images;
  std::vector<std::string> names;
  std::vector<std::string> captions;
  std::string error;
};

Made make(const Inputs& inputs, const std::map<std::string, Value>& params, FakeContext& context) {
  FakeDevice device;
  const auto outputs = run_node(*make_class_pictures_node(), inputs, params, context, device);
  Made made;
  if (!outputs) {
    made.error = outputs.error().message;
    return made;
  }
  made.images = ImageSet::from(outputs->at("images"))->items;
  for (const auto& image : made.images) made.names.push_back(image.name);
  const auto captions = CaptionSet::from(outputs->at("captions"));
  for (const auto& caption : captions->items) made.captions.push_back(caption.name + ": " + caption.text);
  return made;
}

Made make(const std::map<std::string, Value>& params, std::optional<Artifact> given = {}) {
  FakeContext context;
  Inputs inputs{{"base", {tiny_base()}}};
  if (given) inputs["images"] = {std::move(*given)};
  return make(inputs, params, context);
}

Image some_image(const std::string& name) {
  Image image;
  image.name = name;
  image.photo = sha256(name);
  image.pixels = Tensor::of({32, 48, 3}, std::vector<std::uint8_t>(32 * 48 * 3, 100));
  image.original_width = 96, image.original_height = 64;
  return image;
}

Artifact given_images(const std::vector<std::string>& names) {
  ImageSet set;
  for (const auto& name : names) set.items.push_back(some_image(name));
  if (!set.items.empty()) set.items[0].text = "a man in a hat";
  return set.to_artifact();
}

bool equal(const Tensor& one, const Tensor& other) {
  return one.shape() == other.shape() && std::ranges::equal(one.bytes(), other.bytes());
}

TEST(ClassPictures, AreMadeByTheBaseWhereNoneAreGiven) {
  const auto made = make(kTwo);
  ASSERT_EQ(made.error, "");
  EXPECT_THAT(made.names, ElementsAre("class_00005.png", "class_00006.png"));
  EXPECT_THAT(made.captions, ElementsAre("class_00005.png: a person", "class_00006.png: a person"));
  EXPECT_THAT(made.images[0].pixels.shape(), ElementsAre(64, 64, 3)) << "the size the base was trained at";
  EXPECT_EQ(made.images[0].original_width, 64);
  EXPECT_EQ(made.images[0].original_height, 64);
  EXPECT_FALSE(equal(made.images[0].pixels, made.images[1].pixels));
}

TEST(ClassPictures, AreThePicturesThatSamplePaints) {
  FakeContext context;
  FakeDevice device;
  const auto sampled =
      run_node(*make_sample_node(), {{"base", {tiny_base()}}},
               {{"prompts", Value::List{"a person"}}, {"seeds", Value::List{6}}, {"steps", 1}}, context, device);
  ASSERT_TRUE(sampled) << sampled.error().message;
  const auto picture = PictureSet::from(sampled->at("pictures"))->items.at(0);
  EXPECT_TRUE(equal(make(kTwo).images.at(1).pixels, picture.pixels));
}

TEST(ClassPictures, AreOnlyMadeAsFarAsTheGivenOnesAreTooFew) {
  const auto made = make(with(kTwo, "count", 3), given_images({"a.jpg", "b.jpg"}));
  ASSERT_EQ(made.error, "");
  EXPECT_THAT(made.names, ElementsAre("a.jpg", "b.jpg", "class_00005.png"));
  EXPECT_THAT(made.captions, ElementsAre("a.jpg: a man in a hat", "b.jpg: a person", "class_00005.png: a person"));
  EXPECT_EQ(made.images[0].photo, sha256("a.jpg"));
  EXPECT_EQ(made.images[0].original_width, 96);
}

TEST(ClassPictures, AreAllOfTheGivenOnesWhereThereAreEnough) {
  const auto made = make(kTwo, given_images({"a.jpg", "b.jpg", "c.jpg"}));
  EXPECT_THAT(made.names, ElementsAre("a.jpg", "b.jpg", "c.jpg"));
}

TEST(ClassPictures, HaveNamesThatNoGivenImageHas) {
  const auto made = make(kTwo, given_images({"class_00005.png"}));
  EXPECT_THAT(made.names, ElementsAre("class_00005.png", "made_class_00005.png"));
}

TEST(ClassPictures, AreKnownByWhatMakesThem) {
  const auto made = make(kTwo), again = make(kTwo), more = make(with(with(kTwo, "seed", 6), "count", 1));
  EXPECT_EQ(made.images.at(0).photo, again.images.at(0).photo);
  EXPECT_EQ(made.images.at(1).photo, more.images.at(0).photo) << "the seed's, not the place's";
  EXPECT_NE(made.images.at(0).photo, made.images.at(1).photo);
  for (const auto& [param, value] : std::map<std::string, Value>{{"prompt", "a cat"},
                                                                 {"negative", "blue"},
                                                                 {"sampler", "euler_a"},
                                                                 {"steps", 2},
                                                                 {"guidance", 3.0},
                                                                 {"width", 32},
                                                                 {"height", 32},
                                                                 {"precision", "bfloat16"}}) {
    EXPECT_NE(make(with(kTwo, param, value)).images.at(0).photo, made.images.at(0).photo) << param;
  }
}

TEST(ClassPictures, HaveThePromptsWordsForACaption) {
  EXPECT_THAT(make(with(with(kTwo, "count", 1), "prompt", "a (tall:1.2) person \\(man\\) BREAK outside")).captions,
              ElementsAre("class_00005.png: a tall person (man) outside"));
}

TEST(ClassPictures, CanBeEncodedAndLearnedFrom) {
  FakeContext context;
  FakeDevice device;
  const auto made = run_node(*make_class_pictures_node(), {{"base", {tiny_base()}}}, kTwo, context, device);
  ASSERT_TRUE(made) << made.error().message;
  const auto encoded =
      run_node(*make_encode_node(),
               {{"base", {tiny_base()}}, {"images", {made->at("images")}}, {"captions", {made->at("captions")}}}, {},
               context, device);
  ASSERT_TRUE(encoded) << encoded.error().message;
  const auto dataset =
      run_node(*make_dataset_node(), {{"latents", {encoded->at("latents")}}, {"captions", {made->at("captions")}}}, {},
               context, device);
  ASSERT_TRUE(dataset) << dataset.error().message;
  EXPECT_EQ(Dataset::from(dataset->at("dataset"))->items.size(), 2u);
}

TEST(ClassPictures, GoOnWhereTheyWereStopped) {
  FakeContext context;
  const Inputs inputs{{"base", {tiny_base()}}};
  context.stop_after = 2;  // asked after each step: in the third picture
  const auto params = with(kTwo, "count", 4);
  EXPECT_EQ(make(inputs, params, context).error, "sampling was stopped");
  ASSERT_EQ(context.saved.size(), 1u);
  const auto kept = ImageSet::from(context.saved[0])->items.size();
  EXPECT_GT(kept, 0u);
  EXPECT_LT(kept, 4u);
  FakeContext resumed;
  resumed.checkpoint = context.checkpoint;
  const auto made = make(inputs, params, resumed), whole = make(params);
  EXPECT_EQ(made.names, whole.names);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(equal(made.images.at(i).pixels, whole.images.at(i).pixels)) << i;
  EXPECT_GT(resumed.progressed.front().first, 0.2) << "what was painted is not painted again";
}

TEST(ClassPictures, AreKeptEveryTwenty) {
  FakeContext context;
  auto params = with(with(kTwo, "count", 41), "guidance", 1.0);
  params["width"] = 16, params["height"] = 16;
  EXPECT_EQ(make({{"base", {tiny_base()}}}, params, context).names.size(), 41u);
  ASSERT_EQ(context.saved.size(), 2u);
  EXPECT_EQ(ImageSet::from(context.saved[1])->items.size(), 40u);
  EXPECT_EQ(context.previews.size(), 8u) << "some are shown";
}

TEST(ClassPictures, RefuseAFusedModelAndASizeThatTheBaseDoesNotTake) {
  auto fused = *Model::from(tiny_base());
  fused.loras.push_back({LoraSet{}, 1});
  FakeContext context;
  EXPECT_EQ(make({{"base", {fused.to_artifact()}}}, kTwo, context).error,
            "class_pictures takes a base model; this one is fused");
  EXPECT_EQ(make(with(kTwo, "width", 42)).error, "pictures of 42 x 64 px: this base takes multiples of 4 px");
}

TEST(ClassPictures, WantAPromptAndRoomForTheirSeeds) {
  const auto node = make_class_pictures_node();
  const auto check = [&](const std::map<std::string, Value>& params) {
    return node->check(Params(node->spec(), params), {{"base", 1}});
  };
  EXPECT_THAT(check(kTwo), IsEmpty());
  EXPECT_THAT(check({{"prompt", ""}}),
              ElementsAre("param 'prompt' is empty; name the class, as in \"a photo of a person\""));
  EXPECT_THAT(check({{"prompt", "a <lora:x"}}),
              ElementsAre("the prompt \"a <lora:x\": '<lora:x' has no '>'; write <lora:name:weight>"));
  EXPECT_THAT(check({{"prompt", "a person"}, {"seed", std::numeric_limits<std::int64_t>::max()}}),
              ElementsAre("param 'seed' leaves no room for the seeds of all pictures"));
}

TEST(ClassPictures, ArePlannedByHowManyThereShallBe) {
  const auto node = make_class_pictures_node();
  EXPECT_EQ(node->needs(Params(node->spec(), kTwo), {}).seconds, 20);
}

}  // namespace
}  // namespace atelier
