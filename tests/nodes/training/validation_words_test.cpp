// Pictures on the way of a training that has words of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sampling/sample_node.h"
#include "train_case.h"
#include "training/train_embedding_node.h"
#include "types/embedding.h"
#include "types/pictures.h"

namespace atelier {
namespace {

using testing::ElementsAre;

constexpr const char* kPrompt = "<sks>";

std::vector<Dataset> about_the_word() {
  auto dataset = tiny_dataset({"a.png", "b.png"});
  dataset.texts.clear();
  for (auto& item : dataset.items) {
    item.caption = "<sks>";
    item.sizes = {64, 64, 0, 0, 64, 64};
  }
  return {dataset};
}

std::map<std::string, Value> painting(std::map<std::string, Value> params) {
  params.insert({{"steps", 4},
                 {"learning_rate", 5e-2},
                 {"schedule", "constant"},
                 {"validation_every", 2},
                 {"checkpoint_every", 3},
                 {"validation_prompts", Value::List{kPrompt}},
                 {"validation_seeds", Value::List{1, 2}},
                 {"validation_sampling_steps", 2}});
  return params;
}

const std::map<std::string, Value> kWord{{"word", kPrompt}, {"initializer", "person"}, {"weight_decay", 0.0}};

Expected<Outputs> run(const Node& node, const std::optional<Artifact>& word, const std::map<std::string, Value>& params,
                      FakeContext& context) {
  auto inputs = inputs_of(about_the_word());
  if (word) inputs["embedding"] = {*word};
  FakeDevice device;
  return run_node(node, inputs, params, context, device);
}

Artifact learned_word() {
  FakeContext context;
  auto outputs = run(*make_train_embedding_node(), {}, painting(kWord), context);
  if (!outputs) throw Fault(outputs.error().message);
  return outputs->at("embedding");
}

// What `sample` paints of the prompt with what came out.
std::vector<Picture> sampled(const Inputs& beside_the_base) {
  auto inputs = beside_the_base;
  inputs["base"] = {tiny_base()};
  FakeContext context;
  FakeDevice device;
  const auto outputs = run_node(
      *make_sample_node(), inputs,
      {{"prompts", Value::List{kPrompt}}, {"seeds", Value::List{1, 2}}, {"steps", 2}, {"width", 64}, {"height", 64}},
      context, device);
  if (!outputs) throw Fault(outputs.error().message);
  return PictureSet::from(outputs->at("pictures"))->items;
}

bool equal(const Tensor& one, const Tensor& other) {
  return one.shape() == other.shape() && std::ranges::equal(one.bytes(), other.bytes());
}

std::vector<Picture> pictures_of(const Outputs& outputs) { return PictureSet::from(outputs.at("validation"))->items; }

TEST(ValidationWords, PicturesOfATrainedWordAreThoseThatSamplePaintsWithIt) {
  FakeContext context;
  const auto outputs = run(*make_train_embedding_node(), {}, painting(kWord), context);
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto pictures = pictures_of(*outputs);
  std::vector<std::string> names;
  for (const auto& picture : pictures) names.push_back(picture.name);
  EXPECT_THAT(names, ElementsAre("step000002_0001_seed1.png", "step000002_0001_seed2.png", "step000004_0001_seed1.png",
                                 "step000004_0001_seed2.png"));
  EXPECT_EQ(context.previews.size(), 4u);

  const auto wanted = sampled({{"embeddings", {outputs->at("embedding")}}}), without = sampled({});
  for (const std::size_t i : {0, 1}) {
    EXPECT_TRUE(equal(pictures[2 + i].pixels, wanted[i].pixels)) << names[2 + i];
    EXPECT_FALSE(equal(pictures[2 + i].pixels, without[i].pixels)) << "the word's vectors change the picture";
    EXPECT_FALSE(equal(pictures[i].pixels, pictures[2 + i].pixels)) << "and they were learned meanwhile";
  }
}

TEST(ValidationWords, PicturesOfATrainedWordAreKeptWhenCutOff) {
  FakeContext whole, cut;
  const auto outputs = run(*make_train_embedding_node(), {}, painting(kWord), whole);
  ASSERT_TRUE(outputs) << outputs.error().message;
  cut.checkpoint = whole.saved.at(0);  // of step 3
  const auto rest = run(*make_train_embedding_node(), {}, painting(kWord), cut);
  EXPECT_EQ(digest_of(rest->at("validation")), digest_of(outputs->at("validation")));
  EXPECT_EQ(digest_of(rest->at("embedding")), digest_of(outputs->at("embedding")));
  EXPECT_EQ(cut.previews.size(), 4u);
}

TEST(ValidationWords, ALoraTrainedWithAWordIsPaintedWithIt) {
  const auto word = learned_word();
  for (const bool text_encoder : {false, true}) {
    FakeContext context;
    const auto outputs =
        run(*make_train_node(), word, painting({{"rank", 2}, {"train_text_encoder", text_encoder}}), context);
    ASSERT_TRUE(outputs) << outputs.error().message;
    const auto pictures = pictures_of(*outputs);
    ASSERT_EQ(pictures.size(), 4u);
    const auto wanted = sampled({{"loras", {outputs->at("lora")}}, {"embeddings", {word}}});
    const auto without = sampled({{"loras", {outputs->at("lora")}}});
    for (const std::size_t i : {0, 1}) {
      EXPECT_TRUE(equal(pictures[2 + i].pixels, wanted[i].pixels)) << i << ", text encoder " << text_encoder;
      EXPECT_FALSE(equal(pictures[2 + i].pixels, without[i].pixels)) << i << ", text encoder " << text_encoder;
    }
  }
}

TEST(ValidationWords, ArePaintedWithTheClipSkipOfTheTraining) {
  auto datasets = about_the_word();
  const auto first_picture = [&](std::int64_t clip_skip) {
    datasets[0].text_settings.clip_skip = clip_skip;
    FakeContext context;
    const auto outputs = train(datasets, painting({{"rank", 2}, {"learning_rate", 0.0}}), context);
    if (!outputs) throw Fault(outputs.error().message);
    return pictures_of(*outputs).at(0);
  };
  const auto last = first_picture(1), penultimate = first_picture(2);
  EXPECT_FALSE(equal(last.pixels, penultimate.pixels));  // nothing was learned: the words alone make the difference
  EXPECT_EQ(penultimate.metadata.at("clip_skip"), 2);
}

}  // namespace
}  // namespace atelier
