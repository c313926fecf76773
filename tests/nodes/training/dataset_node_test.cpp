#include "training/dataset_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "types/captions.h"
#include "types/dataset.h"
#include "types/latents.h"
#include "types/masks.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Tensor constant(Tensor::Shape shape, float value) {
  std::int64_t count = 1;
  for (const auto side : shape) count *= side;
  return Tensor::of(std::move(shape), std::vector<float>(static_cast<std::size_t>(count), value));
}

// A grey mask of 32 x 32 px whose left `columns` are white.
Tensor mask_of(std::size_t columns) {
  std::vector<std::uint8_t> values(32 * 32);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 32 < columns ? 255 : 0;
  return Tensor::of({32, 32}, values);
}

// Photos of a grid of 4 x 4 latents and all that goes with them.
struct Sources {
  Latents latents;
  CaptionSet captions;
  MaskSet masks;

  explicit Sources(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      latents.photos.push_back(
          {name, sha256(name), constant({4, 4, 4}, 1), constant({4, 4, 4}, 0), constant({4, 4}, 1)});
      captions.items.push_back({name, "a person"});
      masks.items.push_back({name, mask_of(16)});
    }
    latents.texts["a person"] = {constant({77, 8}, 0.5f)};
    latents.texts["not used"] = {constant({77, 8}, 0.25f)};
  }
  Inputs inputs(bool with_masks = true) const {
    Inputs all{{"latents", {latents.to_artifact()}}, {"captions", {captions.to_artifact()}}};
    if (with_masks) all["masks"] = {masks.to_artifact()};
    return all;
  }
};

struct Made {
  Expected<Outputs> outputs;
  std::vector<std::string> warnings;

  Dataset dataset() const { return *Dataset::from(outputs.value().at("dataset")); }
};

Made make(const Inputs& inputs, const std::map<std::string, Value>& params = {}) {
  FakeContext context;
  FakeDevice device;
  auto outputs = run_node(*make_dataset_node(), inputs, params, context, device);
  return {std::move(outputs), context.warnings};
}

TEST(DatasetNode, BringsMasksToTheLatentsGridByArea) {
  Sources sources({"a.png"});
  sources.masks.items[0].mask = mask_of(12);  // one and a half of the four columns
  const auto dataset = make(sources.inputs()).dataset();
  const auto mask = dataset.items[0].mask.values<float>();
  EXPECT_THAT(std::vector<float>(mask.begin(), mask.begin() + 4), ElementsAre(1, 0.5, 0, 0));
}

TEST(DatasetNode, LearnsAllThatIsNotInventedWhereThereAreNoMasks) {
  Sources sources({"a.png"});
  sources.latents.photos[0].validity = constant({4, 4}, 0.75f);
  const auto dataset = make(sources.inputs(false)).dataset();
  EXPECT_EQ(dataset.items[0].mask.values<float>()[0], 0.75f);
}

TEST(DatasetNode, LetsWhatIsInventedWeighNothingUnderAMask) {
  Sources sources({"a.png"});
  sources.latents.photos[0].validity = constant({4, 4}, 0.25f);
  const auto mask = make(sources.inputs()).dataset().items[0].mask;
  EXPECT_EQ(mask.values<float>()[0], 0.25f);
  EXPECT_EQ(mask.values<float>()[3], 0.0f);
}

TEST(DatasetNode, TakesOnlyTheCaptionsItUses) {
  const auto dataset = make(Sources({"a.png"}).inputs()).dataset();
  EXPECT_EQ(dataset.texts.size(), 1u);
  EXPECT_EQ(dataset.items[0].caption, "a person");
}

TEST(DatasetNode, CarriesRepeatsWeightAndShare) {
  const auto dataset = make(Sources({"a.png"}).inputs(), {{"repeats", 3}, {"weight", 0.5}, {"share", 2.0}}).dataset();
  EXPECT_EQ(dataset.repeats, 3);
  EXPECT_EQ(dataset.items[0].weight, 0.5);
  EXPECT_EQ(dataset.share, 2.0);
  EXPECT_FALSE(dataset.customer);
}

TEST(DatasetNode, CarriesWhatIsKnownOfEachPhotoAndOfItsText) {
  Sources sources({"a.png"});
  auto& photo = sources.latents.photos[0];
  photo.sizes = {600, 800, 1, 2, 32, 32};
  photo.repeats = 10;
  photo.mirrored = true;
  photo.validity = constant({4, 4}, 0.75f);
  sources.latents.text_settings = {2, 150};
  const auto dataset = make(sources.inputs()).dataset();
  EXPECT_EQ(dataset.items[0].sizes, photo.sizes);
  EXPECT_EQ(dataset.items[0].repeats, 10);
  EXPECT_TRUE(dataset.items[0].mirrored);
  EXPECT_EQ(dataset.items[0].validity->values<float>()[0], 0.75f);
  EXPECT_EQ(dataset.text_settings, (TextSettings{2, 150}));
}

TEST(DatasetNode, NeedsNoTextsWhereNoneWereEncoded) {
  Sources sources({"a.png"});
  sources.latents.texts.clear();
  const auto dataset = make(sources.inputs()).dataset();
  EXPECT_TRUE(dataset.texts.empty());
  EXPECT_EQ(dataset.items[0].caption, "a person");
}

TEST(DatasetNode, CountsNoMirroredCopiesAsPhotosOfTheCustomer) {
  Sources sources({"a.png", "b.png", "c.png"});
  sources.latents.photos[2].mirrored = true;
  EXPECT_THAT(make(sources.inputs(), {{"customer", true}}).warnings,
              ElementsAre("only 2 photos of the customer: 3 or more make a likeness"));
}

TEST(DatasetNode, RefusesAnEmptyMaskByTheFilesName) {
  Sources sources({"a.png", "b.png"});
  sources.masks.items[1].mask = mask_of(0);
  const auto made = make(sources.inputs());
  ASSERT_FALSE(made.outputs);
  EXPECT_EQ(made.outputs.error().message,
            "b.png: its mask is empty, so nothing of it would be learned; take the photo out or choose another region");
}

TEST(DatasetNode, TellsAMaskUnderOnePercentAndCapsItsWeight) {
  Sources sources({"a.png"});
  std::vector<std::uint8_t> few(32 * 32);
  for (std::size_t i = 0; i < 4; ++i) few[i] = 255;
  sources.masks.items[0].mask = Tensor::of({32, 32}, few);
  const auto made = make(sources.inputs(), {{"weight", 5.0}});
  EXPECT_THAT(made.warnings, ElementsAre("a.png: the mask covers only 0.39 % of it; its weight is at most 1"));
  EXPECT_EQ(made.dataset().items[0].weight, 1.0);
}

TEST(DatasetNode, WarnsUnderThreePhotosOfTheCustomer) {
  EXPECT_THAT(make(Sources({"a.png", "b.png"}).inputs(), {{"customer", true}}).warnings,
              ElementsAre("only 2 photos of the customer: 3 or more make a likeness"));
  EXPECT_THAT(make(Sources({"a.png", "b.png", "c.png"}).inputs(), {{"customer", true}}).warnings, IsEmpty());
  EXPECT_THAT(make(Sources({"a.png"}).inputs()).warnings, IsEmpty());
}

TEST(DatasetNode, NamesThePhotoThatHasNoMask) {
  Sources sources({"a.png", "b.png"});
  sources.masks.items.pop_back();
  const auto made = make(sources.inputs());
  ASSERT_FALSE(made.outputs);
  EXPECT_EQ(made.outputs.error().message,
            "b.png: there is no mask for it; give `dataset` masks of the same images that `encode` got");
}

TEST(DatasetNode, NamesThePhotoThatHasNoCaption) {
  Sources sources({"a.png", "b.png"});
  sources.captions.items.pop_back();
  const auto made = make(sources.inputs());
  ASSERT_FALSE(made.outputs);
  EXPECT_EQ(made.outputs.error().message,
            "b.png: there is no caption for it; give `dataset` captions of the same images that `encode` got");
}

TEST(DatasetNode, NamesTheCaptionThatWasNotEncoded) {
  Sources sources({"a.png"});
  sources.captions.items[0].text = "somebody";
  const auto made = make(sources.inputs());
  ASSERT_FALSE(made.outputs);
  EXPECT_EQ(made.outputs.error().message,
            "a.png: its caption \"somebody\" was not encoded; give `encode` these captions too");
}

}  // namespace
}  // namespace atelier
