#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "diffusion/lora_operations.h"
#include "lora/combine_node.h"
#include "lora_sets.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Expected<Outputs> combine(const std::vector<LoraSet>& loras, FakeContext& context,
                          const std::map<std::string, Value>& params = {}) {
  FakeDevice device;
  Inputs inputs;
  for (const auto& lora : loras) inputs["loras"].push_back(lora.to_artifact());
  return run_node(*make_combine_node(), inputs, params, context, device);
}

class Combine : public testing::Test {
 protected:
  FakeContext context;
  const LoraSet one = lora_named("one", 8, 3.7), two = lora_named("two", 5, 11), three = lora_named("three", 2, 1);
};

TEST_F(Combine, IsTheExactWeightedSumForUnequalRanksAndAlphas) {
  const auto result = lora_out(combine({one, two, three}, context, {{"weights", Value::List{0.5, 1, 0.25}}}));
  for (const auto* layer : {kQuery, kKey})
    EXPECT_LE(distance(delta(result, layer), 0.5 * delta(one, layer) + delta(two, layer) + 0.25 * delta(three, layer)),
              1e-6)
        << layer;
  EXPECT_EQ(result.base, one.base);
  EXPECT_THAT(context.warnings, IsEmpty());
  EXPECT_THAT(context.metrics, IsEmpty());
}

TEST_F(Combine, OfOneLoraIsThatLora) {
  const auto result = lora_out(combine({one}, context));
  for (const auto* layer : {kQuery, kKey}) EXPECT_LE(distance(delta(result, layer), delta(one, layer)), 1e-6);
}

TEST_F(Combine, DoesNotDependOnTheOrder) {
  const auto forth = lora_out(combine({one, two, three}, context)),
             back = lora_out(combine({three, two, one}, context));
  for (const auto* layer : {kQuery, kKey}) EXPECT_LE(distance(delta(forth, layer), delta(back, layer)), 1e-6);
}

TEST_F(Combine, CountsTheBlocksOfEachLora) {
  const auto each = lora_out(combine({one, two}, context, {{"blocks", Value::List{"to_q=0.5", "mid=2,to_k=0"}}}));
  EXPECT_LE(distance(delta(each, kQuery), 0.5 * delta(one, kQuery) + 2 * delta(two, kQuery)), 1e-6);
  EXPECT_LE(distance(delta(each, kKey), delta(one, kKey)), 1e-6);
  const auto all = lora_out(combine({one, two}, context, {{"blocks", Value::List{"to_q=0.5"}}}));
  EXPECT_LE(distance(delta(all, kQuery), 0.5 * (delta(one, kQuery) + delta(two, kQuery))), 1e-6);
  EXPECT_LE(distance(delta(all, kKey), delta(one, kKey) + delta(two, kKey)), 1e-6);
}

TEST_F(Combine, ReducesTheRankAndReportsTheRelativeError) {
  const auto result = lora_out(combine({one, two}, context, {{"rank", 6}}));
  EXPECT_EQ(rank_of(result, kQuery), 6);
  double lost = 0, all = 0;
  for (const auto* layer : {kQuery, kKey}) {
    const auto wanted = delta(one, layer) + delta(two, layer);
    lost += (delta(result, layer) - wanted).square().sum().item<double>();
    all += wanted.square().sum().item<double>();
  }
  EXPECT_NEAR(result.facts.at("relative_error").get<double>(), std::sqrt(lost / all), 1e-5);
  ASSERT_EQ(context.metrics.size(), 1u);
  EXPECT_EQ(context.metrics[0].name, "relative_error");
  EXPECT_THAT(context.warnings,
              ElementsAre(testing::MatchesRegex("at rank 6 the sum is [0-9.]+ % off; a higher rank keeps more of it")));
}

TEST_F(Combine, MergesByTiesAsTheLibraryDoes) {
  const auto result =
      lora_out(combine({one, two, three}, context,
                       {{"method", "ties"}, {"density", 0.5}, {"weights", Value::List{1, 0.5, 0.8}}, {"rank", 32}}));
  const std::vector<diffusion::Lora> values{as_diffusion(one), as_diffusion(two), as_diffusion(three)};
  const std::vector<diffusion::WeightedLora> terms{{&values[0], 1}, {&values[1], 0.5}, {&values[2], 0.8}};
  const auto wanted = diffusion::merge(terms, diffusion::Ties{0.5}, {.rank = 32});
  for (const auto* layer : {kQuery, kKey})
    EXPECT_LE(distance(delta(result, layer), wanted->lora.layers.at(layer).delta().to(at::kDouble)), 1e-6) << layer;
}

TEST_F(Combine, MergesByDareAlikeForOneSeedOnly) {
  const auto merged = [&](int seed) {
    return delta(lora_out(combine({one, two}, context, {{"method", "dare"}, {"seed", seed}, {"error", 0}})), kQuery);
  };
  EXPECT_TRUE(at::equal(merged(1), merged(1)));
  EXPECT_GT(distance(merged(1), merged(2)), 0.1);
}

TEST_F(Combine, ByDareOfDensityOneIsTheSum) {
  const auto result =
      lora_out(combine({one, two}, context, {{"method", "dare"}, {"density", 1}, {"rank", 32}, {"seed", 5}}));
  for (const auto* layer : {kQuery, kKey})
    EXPECT_LE(distance(delta(result, layer), delta(one, layer) + delta(two, layer)), 1e-5) << layer;
}

TEST_F(Combine, IsForTheKindOfBaseThatItsLorasWereMadeFor) {
  auto first = one, second = two;
  second.facts = facts_of({diffusion::Architecture::sdxl, diffusion::PredictionType::v_prediction});
  EXPECT_EQ(lora_out(combine({first, second}, context)).facts, second.facts);
  first.facts["base_model"] = "sd_v1";
  EXPECT_EQ(combine({first, second}, context).error().message,
            "the LoRAs are for two kinds of base, Stable Diffusion 1.x and SDXL");
}

TEST_F(Combine, TellsWeightsOutsideZeroToOneAndLorasOfDifferentBases) {
  auto second = two, third = three;
  second.base.reset();
  third.base = sha256("another");
  const auto result =
      lora_out(combine({one, second, third, third}, context, {{"weights", Value::List{1, -0.5, 1, 1}}}));
  EXPECT_EQ(result.base, one.base);
  EXPECT_THAT(context.warnings, ElementsAre("LoRA 2 has the weight -0.5, outside 0 to 1",
                                            "the LoRAs were trained on different base models"));
}

TEST_F(Combine, RefusesABlockThatALoraDoesNotHave) {
  EXPECT_EQ(combine({one, lora_named("two", 2, 1, {kQuery})}, context, {{"blocks", Value::List{"", "to_k=0.5"}}})
                .error()
                .message,
            "LoRA 2: block weight 'to_k=0.5': the LoRA has no such layer; its layers are such as "
            "'mid_block.attentions.0.transformer_blocks.0.attn1.to_q'");
}

TEST_F(Combine, RefusesLayersOfUnequalShapes) {
  auto second = two;
  second.layers[kKey] = {normal_tensor({2, 16}, "A"), normal_tensor({32, 2}, "B"), 1};
  const auto result = combine({one, second}, context);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::input);
  EXPECT_THAT(result.error().message, testing::HasSubstr(kKey));
}

TEST_F(Combine, TellsParamsThatDoNotFitTogetherBeforeItRuns) {
  const auto node = make_combine_node();
  const std::map<std::string, std::size_t> two_loras{{"loras", 2}};
  EXPECT_THAT(checked(*node, {}, two_loras), IsEmpty());
  EXPECT_THAT(checked(*node, {{"method", "ties"}}, two_loras),
              ElementsAre("the method ties needs one of the params 'rank', 'energy' and 'error'"));
  EXPECT_THAT(checked(*node, {{"method", "dare"}, {"error", 0.01}}, two_loras), IsEmpty());
  EXPECT_THAT(
      checked(*node,
              {{"weights", Value::List{1}},
               {"blocks", Value::List{"in=0", "in=11", "out=1"}},
               {"density", 0.5},
               {"energy", 0.9},
               {"error", 0.1}},
              two_loras),
      ElementsAre("param 'blocks' has 3 texts, port 'loras' 2 sources; there must be one for all or one for each",
                  "param 'blocks', text 2: block weight 'in=11': 11 is out of range, weights of blocks go from "
                  "0 to 10",
                  "param 'weights' has 1 number, port 'loras' 2 sources; there must be one for each",
                  "param 'density' goes with the methods ties and dare; the method is sum",
                  "the params 'energy' and 'error' exclude each other; give one of them"));
}

}  // namespace
}  // namespace atelier
