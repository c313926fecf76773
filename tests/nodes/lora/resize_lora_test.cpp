#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lora/resize_lora_node.h"
#include "lora_sets.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Expected<Outputs> resize(const LoraSet& lora, FakeContext& context, const std::map<std::string, Value>& params) {
  FakeDevice device;
  return run_node(*make_resize_lora_node(), {{"lora", {lora.to_artifact()}}}, params, context, device);
}

// The error of the best approximation of that rank, relative.
double best_error(const at::Tensor& matrix, std::int64_t rank) {
  const auto values = at::linalg_svdvals(matrix);
  return size_of(values.slice(0, rank)) / size_of(values);
}

TEST(ResizeLora, IsTheBestLoraOfThatRankInEveryLayer) {
  FakeContext context;
  const auto lora = lora_named("one", 8, 3.7);
  const auto result = lora_out(resize(lora, context, {{"rank", 3}}));
  for (const auto* layer : {kQuery, kKey}) {
    EXPECT_EQ(rank_of(result, layer), 3);
    EXPECT_NEAR(distance(delta(result, layer), delta(lora, layer)), best_error(delta(lora, layer), 3), 1e-5) << layer;
  }
  EXPECT_EQ(result.base, lora.base);
  ASSERT_EQ(context.metrics.size(), 1u);
  EXPECT_EQ(context.metrics[0].value, result.facts.at("relative_error").get<double>());
  EXPECT_THAT(
      context.warnings,
      ElementsAre(testing::MatchesRegex("at rank 3 the LoRA is [0-9.]+ % off; a higher rank keeps more of it")));
}

TEST(ResizeLora, KeepsALoraThatLosesNothingToTheBit) {
  FakeContext context;
  const auto lora = lora_named("one", 4, 3.7);
  const auto result = lora_out(resize(lora, context, {{"rank", 4}}));
  for (const auto* layer : {kQuery, kKey}) {
    EXPECT_TRUE(std::ranges::equal(result.layers.at(layer).a.bytes(), lora.layers.at(layer).a.bytes()));
    EXPECT_TRUE(std::ranges::equal(result.layers.at(layer).b.bytes(), lora.layers.at(layer).b.bytes()));
    EXPECT_EQ(result.layers.at(layer).alpha, 3.7);
  }
  EXPECT_EQ(result.facts.at("relative_error"), 0);
  EXPECT_THAT(context.warnings, IsEmpty());
}

TEST(ResizeLora, OfAResizedLoraAtTheSameRankChangesNothing) {
  FakeContext context;
  const auto once = lora_out(resize(lora_named("one", 8, 8), context, {{"rank", 3}}));
  const auto twice = lora_out(resize(once, context, {{"rank", 3}}));
  EXPECT_TRUE(at::equal(delta(twice, kQuery), delta(once, kQuery)));
}

TEST(ResizeLora, KeepsTheFewestRanksWithTheEnergyOrTheError) {
  FakeContext context;
  const auto lora = lora_named("one", 12, 12);
  const auto by_energy = lora_out(resize(lora, context, {{"energy", 0.9}}));
  const auto rank = rank_of(by_energy, kQuery);
  EXPECT_LE(best_error(delta(lora, kQuery), rank), std::sqrt(0.1));
  EXPECT_GT(best_error(delta(lora, kQuery), rank - 1), std::sqrt(0.1));
  const auto by_error = lora_out(resize(lora, context, {{"error", 0.2}}));
  EXPECT_LE(distance(delta(by_error, kQuery), delta(lora, kQuery)), 0.2);
  EXPECT_EQ(rank_of(lora_out(resize(lora, context, {{"error", 0.2}, {"rank", 2}})), kQuery), 2);
}

TEST(ResizeLora, KeepsTheKindOfBase) {
  FakeContext context;
  auto lora = lora_named("one", 4, 4);
  lora.facts = {{"base_model", "sd_v2_v"}, {"steps", 60}};
  const auto facts = lora_out(resize(lora, context, {{"rank", 4}})).facts;
  EXPECT_EQ(facts, (nlohmann::json{{"base_model", "sd_v2_v"}, {"relative_error", 0.0}}));
}

TEST(ResizeLora, TellsParamsThatDoNotFitTogetherBeforeItRuns) {
  const auto node = make_resize_lora_node();
  EXPECT_THAT(checked(*node, {}), ElementsAre("resize_lora needs one of the params 'rank', 'energy' and 'error'"));
  EXPECT_THAT(checked(*node, {{"rank", 8}, {"error", 0.1}}), IsEmpty());
  EXPECT_THAT(checked(*node, {{"energy", 0.9}, {"error", 0.1}}),
              ElementsAre("the params 'energy' and 'error' exclude each other; give one of them"));
}

}  // namespace
}  // namespace atelier
