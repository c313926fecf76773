#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lora/diff_node.h"
#include "lora_sets.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

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

TEST(Diff, ReducesByTheEnergyThatIsKept) {
  FakeContext context;
  const auto one = lora_named("one", 8, 8), two = lora_named("two", 8, 8);
  const auto result = lora_out(diff(one, two, context, {{"energy", 0.9}}));
  const auto wanted = delta(one, kQuery) - delta(two, kQuery);
  EXPECT_LT(rank_of(result, kQuery), 16);
  EXPECT_LE(distance(delta(result, kQuery), wanted), std::sqrt(0.1));
  EXPECT_LE(result.facts.at("relative_error").get<double>(), std::sqrt(0.1));
}

TEST(Diff, TakesAwayAllThatTheSubtrahendWritesAndWithBothSidesAllThatItReads) {
  const auto one = lora_named("one", 8, 8), two = lora_named("two", 3, 5);
  const auto [u, s, vh] = at::linalg_svd(delta(two, kQuery), /*full_matrices=*/false);
  const auto written = u.slice(1, 0, 3), read = vh.slice(0, 0, 3);  // [32, 3], [3, 32]
  const double size = size_of(delta(one, kQuery));
  FakeContext context;
  const auto left = delta(lora_out(diff(one, two, context, {{"method", "subspace"}})), kQuery);
  EXPECT_LE(size_of(written.t().mm(left)), 1e-6 * size);
  EXPECT_GT(size_of(left.mm(read.t())), 1e-2 * size);
  const auto both = delta(lora_out(diff(one, two, context, {{"method", "subspace"}, {"sides", "both"}})), kQuery);
  EXPECT_LE(size_of(written.t().mm(both)), 1e-6 * size);
  EXPECT_LE(size_of(both.mm(read.t())), 1e-6 * size);
  EXPECT_THAT(context.warnings, IsEmpty());
}

TEST(Diff, RefusesLorasOfTwoKindsOfBase) {
  FakeContext context;
  auto one = lora_named("one", 4, 4), two = lora_named("two", 4, 4);
  one.facts["base_model"] = "sd_v1";
  two.facts["base_model"] = "sdxl_base_v1-0";
  EXPECT_EQ(diff(one, two, context).error().message,
            "the LoRAs are for two kinds of base, Stable Diffusion 1.x and SDXL");
}

TEST(Diff, TellsParamsThatDoNotFitTogetherBeforeItRuns) {
  const auto node = make_diff_node();
  EXPECT_THAT(checked(*node, {}), IsEmpty());
  EXPECT_THAT(checked(*node, {{"rank", 8}, {"energy", 0.99}}), IsEmpty());
  EXPECT_THAT(checked(*node, {{"energy", 0.9}, {"error", 0.1}}),
              ElementsAre("the params 'energy' and 'error' exclude each other; give one of them"));
  EXPECT_THAT(checked(*node, {{"energy", 0}}), ElementsAre("energy 0 is out of range: give more than 0 and at most 1"));
  EXPECT_THAT(checked(*node, {{"error", 1}}), ElementsAre("error 1 is out of range: give at least 0 and less than 1"));
}

}  // namespace
}  // namespace atelier
