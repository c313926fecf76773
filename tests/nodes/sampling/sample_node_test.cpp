#include "sampling/sample_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"
#include "types/model.h"
#include "types/pictures.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kQuery = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";

const std::map<std::string, Value> kShort{{"prompts", Value::List{"a person"}}, {"steps", 2}};

Artifact lora_named(const std::string& name) {
  LoraSet lora;
  lora.layers[kQuery] = {normal_tensor({4, 32}, name + "A"), normal_tensor({32, 4}, name + "B"), 4};
  return lora.to_artifact();
}

std::map<std::string, Value> with(std::map<std::string, Value> params, const std::string& name, Value value) {
  params[name] = std::move(value);
  return params;
}

struct Painted {
  Expected<Outputs> outputs;
  std::vector<std::string> warnings;
  std::vector<std::string> previews;

  std::vector<Picture> pictures() const { return PictureSet::from(outputs.value().at("pictures"))->items; }
};

Painted paint(const Inputs& inputs, const std::map<std::string, Value>& params) {
  FakeContext context;
  FakeDevice device;
  auto outputs = run_node(*make_sample_node(), inputs, params, context, device);
  Painted painted{std::move(outputs), context.warnings, {}};
  for (const auto& [name, png] : context.previews) painted.previews.push_back(name);
  return painted;
}

bool equal(const Tensor& one, const Tensor& other) {
  return one.shape() == other.shape() && std::ranges::equal(one.bytes(), other.bytes());
}

TEST(Sample, PaintsEachPromptWithEachSeedAtTheBasesOwnSize) {
  const auto painted = paint({{"base", {tiny_base()}}}, {{"prompts", Value::List{"a person", "a wall"}},
                                                         {"negative", "blue"},
                                                         {"seeds", Value::List{1, 2}},
                                                         {"steps", 2}});
  ASSERT_TRUE(painted.outputs) << painted.outputs.error().message;
  std::vector<std::string> names;
  for (const auto& picture : painted.pictures()) names.push_back(picture.name);
  EXPECT_THAT(names, ElementsAre("0001_seed1.png", "0001_seed2.png", "0002_seed1.png", "0002_seed2.png"));
  EXPECT_THAT(painted.previews, ElementsAre("0001_seed1", "0001_seed2", "0002_seed1", "0002_seed2"));
  EXPECT_THAT(painted.pictures()[0].pixels.shape(), ElementsAre(64, 64, 3));
  EXPECT_EQ(painted.pictures()[3].metadata, (nlohmann::json{{"prompt", "a wall"},
                                                            {"negative_prompt", "blue"},
                                                            {"seed", 2},
                                                            {"steps", 2},
                                                            {"guidance", 7.5},
                                                            {"sampler", "DDIM"}}));
}

TEST(Sample, PaintsASeedAlikeWhateverElseWasAskedFor) {
  const auto one = paint({{"base", {tiny_base()}}}, with(kShort, "seeds", Value::List{7})).pictures();
  const auto two = paint({{"base", {tiny_base()}}}, with(kShort, "seeds", Value::List{3, 7})).pictures();
  EXPECT_TRUE(equal(one[0].pixels, two[1].pixels));
  EXPECT_FALSE(equal(two[0].pixels, two[1].pixels));
}

TEST(Sample, PaintsAlikeWithAFusedModelAndWithTheBaseAndItsLoras) {
  auto model = *Model::from(tiny_base());
  model.loras = {{*LoraSet::from(lora_named("one")), 0.6}, {*LoraSet::from(lora_named("two")), 0.9}};
  const auto fused = paint({{"model", {model.to_artifact()}}}, kShort).pictures();
  const Inputs beside{{"base", {tiny_base()}}, {"loras", {lora_named("one"), lora_named("two")}}};
  const auto adapted = paint(beside, with(kShort, "weights", Value::List{0.6, 0.9})).pictures();
  EXPECT_TRUE(equal(fused[0].pixels, adapted[0].pixels));
  EXPECT_FALSE(equal(fused[0].pixels, paint({{"base", {tiny_base()}}}, kShort).pictures()[0].pixels));
}

TEST(Sample, UsesALorasTextEncoderToo) {
  LoraSet lora;
  lora.layers["text_encoder.text_model.encoder.layers.0.mlp.fc1"] = {normal_tensor({2, 16}, "A"),
                                                                     normal_tensor({64, 2}, "B"), 2};
  const Inputs adapted{{"base", {tiny_base()}}, {"loras", {lora.to_artifact()}}};
  const auto painted = paint(adapted, kShort);
  ASSERT_TRUE(painted.outputs) << painted.outputs.error().message;
  EXPECT_FALSE(equal(painted.pictures()[0].pixels, paint({{"base", {tiny_base()}}}, kShort).pictures()[0].pixels));
}

TEST(Sample, TakesASize) {
  const auto painted = paint({{"base", {tiny_base()}}}, with(with(kShort, "width", 32), "height", 48));
  EXPECT_THAT(painted.pictures()[0].pixels.shape(), ElementsAre(48, 32, 3));
}

TEST(Sample, ShowsASmallPreviewOfALargePicture) {
  FakeContext context;
  FakeDevice device;
  auto params = with(with(kShort, "width", 512), "height", 128);
  params["steps"] = 1;
  params["guidance"] = 1.0;
  ASSERT_TRUE(run_node(*make_sample_node(), {{"base", {tiny_base()}}}, params, context, device));
  const auto& png = context.previews.at("0001_seed0");
  const auto side = [&](std::size_t offset) {  // big-endian, in the header chunk
    return std::to_integer<int>(png[offset + 2]) * 256 + std::to_integer<int>(png[offset + 3]);
  };
  EXPECT_EQ(side(16), 256);
  EXPECT_EQ(side(20), 64);
}

TEST(Sample, RefusesASizeThatTheBaseDoesNotTake) {
  const auto painted = paint({{"base", {tiny_base()}}}, with(kShort, "width", 42));
  ASSERT_FALSE(painted.outputs);
  EXPECT_EQ(painted.outputs.error().message, "pictures of 42 x 64 px: this base takes multiples of 4 px");
}

TEST(Sample, RefusesALoraOfAnotherArchitecture) {
  LoraSet lora;
  lora.layers[kQuery] = {normal_tensor({4, 320}, "A"), normal_tensor({320, 4}, "B"), 4};
  const auto painted = paint({{"base", {tiny_base()}}, {"loras", {lora.to_artifact()}}}, kShort);
  ASSERT_FALSE(painted.outputs);
  EXPECT_THAT(painted.outputs.error().message, testing::HasSubstr(kQuery));
}

TEST(Sample, TellsAWeightOutsideZeroToOne) {
  const Inputs inputs{{"base", {tiny_base()}}, {"loras", {lora_named("one")}}};
  EXPECT_THAT(paint(inputs, with(kShort, "weights", Value::List{-0.5})).warnings,
              ElementsAre("LoRA 1 has the weight -0.5, outside 0 to 1"));
}

TEST(Sample, StopsWhenAsked) {
  FakeContext context;
  FakeDevice device;
  context.stop_after = 1;
  const auto outputs = run_node(*make_sample_node(), {{"base", {tiny_base()}}}, kShort, context, device);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().kind, ErrorKind::stopped);
}

TEST(Sample, WantsEitherAModelOrABase) {
  const auto node = make_sample_node();
  const Params params(node->spec(), kShort);
  EXPECT_THAT(node->check(params, {{"model", 1}}), IsEmpty());
  EXPECT_THAT(node->check(params, {{"base", 1}, {"loras", 2}}), IsEmpty());
  EXPECT_THAT(node->check(params, {}),
              ElementsAre("neither port 'model' nor port 'base' is connected; give a fused model or a base"));
  EXPECT_THAT(node->check(params, {{"model", 1}, {"base", 1}}),
              ElementsAre("ports 'model' and 'base' are both connected; give a fused model or a base, not both"));
  EXPECT_THAT(node->check(params, {{"model", 1}, {"loras", 1}}),
              ElementsAre("port 'loras' goes with 'base'; a fused model has its LoRAs already"));
}

TEST(Sample, WantsAPromptAndASeed) {
  const auto node = make_sample_node();
  const Params params(node->spec(), {{"prompts", Value::List{}}, {"seeds", Value::List{}}});
  EXPECT_THAT(node->check(params, {{"base", 1}}), ElementsAre("param 'prompts' is empty; give at least one prompt",
                                                              "param 'seeds' is empty; give at least one seed"));
}

}  // namespace
}  // namespace atelier
