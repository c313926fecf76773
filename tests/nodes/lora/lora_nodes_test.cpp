#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lora/diff_node.h"
#include "lora/fuse_node.h"
#include "model/loras.h"
#include "model/tensors.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kQuery = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
constexpr const char* kKey = "mid_block.attentions.0.transformer_blocks.0.attn1.to_k";

// A LoRA of the given layers, drawn from its name.
LoraSet lora_named(const std::string& name, std::int64_t rank, double alpha,
                   const std::vector<std::string>& layers = {kQuery, kKey}) {
  LoraSet lora;
  for (const auto& layer : layers)
    lora.layers[layer] = {normal_tensor({rank, 32}, name + layer + "A"), normal_tensor({32, rank}, name + layer + "B"),
                          alpha};
  lora.base = base_digest(*Model::from(tiny_base()));
  return lora;
}

at::Tensor delta(const LoraSet& lora, const std::string& layer) {
  return as_diffusion(lora).layers.at(layer).delta().to(at::kDouble);
}

LoraSet lora_out(const Expected<Outputs>& outputs) { return *LoraSet::from(outputs.value().at("lora")); }

Expected<Outputs> diff(const LoraSet& minuend, const LoraSet& subtrahend, FakeContext& context,
                       const std::map<std::string, Value>& params = {}) {
  FakeDevice device;
  const Inputs inputs{{"minuend", {minuend.to_artifact()}}, {"subtrahend", {subtrahend.to_artifact()}}};
  return run_node(*make_diff_node(), inputs, params, context, device);
}

TEST(Diff, IsExactForUnequalRanksAndAlphas) {
  FakeContext context;
  const auto one = lora_named("one", 8, 3.7), two = lora_named("two", 5, 11);
  const auto result = lora_out(diff(one, two, context));
  for (const auto* layer : {kQuery, kKey}) {
    const auto wanted = delta(one, layer) - delta(two, layer);
    const double allowed = 1e-6 * (delta(one, layer).norm() + delta(two, layer).norm()).item<double>();
    EXPECT_LE((delta(result, layer) - wanted).norm().item<double>(), allowed) << layer;
  }
  EXPECT_THAT(context.warnings, IsEmpty());
  EXPECT_EQ(result.base, one.base);
}

TEST(Diff, IsForTheKindOfBaseThatItsLorasWereMadeFor) {
  FakeContext context;
  auto one = lora_named("one", 4, 4), two = lora_named("two", 4, 4);
  two.facts = facts_of({diffusion::Architecture::sdxl, diffusion::PredictionType::epsilon});
  EXPECT_EQ(lora_out(diff(one, two, context)).facts, (nlohmann::json{{"base_model", "sdxl_base_v1-0"}}));
  EXPECT_EQ(lora_out(diff(one, one, context)).facts, nlohmann::json::object());
}

TEST(Diff, KeepsTheRankWhereBothStartedFromTheSameA) {
  FakeContext context;
  auto one = lora_named("one", 4, 4), two = lora_named("two", 4, 4);
  for (auto& [layer, factors] : two.layers) factors.a = one.layers.at(layer).a;
  EXPECT_EQ(lora_out(diff(one, two, context)).layers.at(kQuery).a.shape()[0], 4);
}

TEST(Diff, OfEqualLorasIsNothingAndToldSo) {
  FakeContext context;
  const auto one = lora_named("one", 4, 4);
  EXPECT_THAT(lora_out(diff(one, one, context)).layers, IsEmpty());
  EXPECT_THAT(context.warnings, ElementsAre("the two LoRAs are equal: nothing is left of their difference"));
}

TEST(Diff, TellsLayersThatAreLeftOut) {
  FakeContext context;
  auto one = lora_named("one", 4, 4), two = lora_named("two", 4, 4);
  two.layers[kKey] = one.layers.at(kKey);
  const auto result = lora_out(diff(one, two, context));
  EXPECT_EQ(result.layers.size(), 1u);
  EXPECT_THAT(context.warnings, ElementsAre(std::string("1 of 2 layers are equal in both LoRAs and left out, the first "
                                                        "is ") +
                                            kKey));
}

TEST(Diff, ReducesTheRankAndReportsTheRelativeError) {
  FakeContext context;
  const auto one = lora_named("one", 8, 8), two = lora_named("two", 8, 8);
  const auto result = lora_out(diff(one, two, context, {{"rank", 12}}));
  EXPECT_EQ(result.layers.at(kQuery).a.shape()[0], 12);
  const double error = result.facts.at("relative_error").get<double>();
  double lost = 0, all = 0;
  for (const auto* layer : {kQuery, kKey}) {
    const auto wanted = delta(one, layer) - delta(two, layer);
    lost += (delta(result, layer) - wanted).square().sum().item<double>();
    all += wanted.square().sum().item<double>();
  }
  EXPECT_NEAR(error, std::sqrt(lost / all), 1e-5);
  ASSERT_EQ(context.metrics.size(), 1u);
  EXPECT_EQ(context.metrics[0].name, "relative_error");
  EXPECT_THAT(
      context.warnings,
      ElementsAre(testing::MatchesRegex("at rank 12 the difference is [0-9.]+ % off; a higher rank keeps more of it")));
}

TEST(Diff, TellsLorasOfDifferentBases) {
  FakeContext context;
  auto one = lora_named("one", 4, 4), two = lora_named("two", 4, 4);
  two.base = sha256("another");
  ASSERT_TRUE(diff(one, two, context));
  EXPECT_THAT(context.warnings, ElementsAre("the two LoRAs were trained on different base models"));
}

Expected<Outputs> fuse(const std::vector<LoraSet>& loras, FakeContext& context,
                       const std::map<std::string, Value>& params) {
  FakeDevice device;
  Inputs inputs{{"base", {tiny_base()}}};
  for (const auto& lora : loras) inputs["loras"].push_back(lora.to_artifact());
  return run_node(*make_fuse_node(), inputs, params, context, device);
}

TEST(Fuse, IsTheRecipeOfBaseLorasAndWeights) {
  FakeContext context;
  const auto outputs =
      fuse({lora_named("one", 4, 4), lora_named("two", 2, 1)}, context, {{"weights", Value::List{0.6, 0.9}}});
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto model = Model::from(outputs->at("model"));
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->loras.size(), 2u);
  EXPECT_EQ(model->loras[0].weight, 0.6);
  EXPECT_EQ(model->loras[1].weight, 0.9);
  EXPECT_EQ(base_digest(*model), base_digest(*Model::from(tiny_base())));
  EXPECT_THAT(context.warnings, IsEmpty());
}

TEST(Fuse, TellsWeightsOutsideZeroToOneAndLorasOfAnotherBase) {
  FakeContext context;
  auto two = lora_named("two", 2, 1);
  two.base = sha256("another");
  ASSERT_TRUE(fuse({lora_named("one", 4, 4), two}, context, {{"weights", Value::List{1.5, 1}}}));
  const auto base = base_digest(*Model::from(tiny_base())).brief();
  EXPECT_THAT(context.warnings, ElementsAre("LoRA 1 has the weight 1.5, outside 0 to 1",
                                            "LoRA 2 was trained on another base model (" + sha256("another").brief() +
                                                ", not " + base + ")"));
}

TEST(Fuse, RefusesALoraOfAnotherArchitecture) {
  FakeContext context;
  auto two = lora_named("two", 2, 1);
  two.facts["base_model"] = "sdxl_base_v1-0";
  const auto fused = fuse({lora_named("one", 4, 4), two}, context, {});
  ASSERT_FALSE(fused);
  EXPECT_EQ(fused.error().message, "LoRA 2 was made for SDXL, the base is Stable Diffusion 1.x");
}

TEST(Fuse, WritesTheDtypeThatIsAskedFor) {
  FakeContext context;
  const auto fused = fuse({lora_named("one", 4, 4)}, context, {{"dtype", "bfloat16"}});
  EXPECT_EQ(Model::from(fused.value().at("model"))->dtype, "bfloat16");
}

TEST(Fuse, WantsAWeightForEachLora) {
  const auto node = make_fuse_node();
  const Params params(node->spec(), {{"weights", Value::List{0.6, 0.9}}});
  EXPECT_THAT(node->check(params, {{"base", 1}, {"loras", 1}}),
              ElementsAre("param 'weights' has 2 numbers, port 'loras' 1 source; there must be one for each"));
  EXPECT_THAT(node->check(params, {{"base", 1}, {"loras", 2}}), IsEmpty());
  EXPECT_THAT(node->check(Params(node->spec(), {}), {{"base", 1}, {"loras", 3}}), IsEmpty());
}

}  // namespace
}  // namespace atelier
