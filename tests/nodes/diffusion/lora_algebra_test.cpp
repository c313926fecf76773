#include "diffusion/lora_algebra.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "random_loras.h"

namespace atelier::diffusion {
namespace {

/// The laws hold for random ranks, alphas and shapes; the parameter is the seed.
class LoraLaws : public ::testing::TestWithParam<uint64_t> {
 protected:
  LoraLaws() : random(GetParam()) {}
  RandomLoras random;
};
INSTANTIATE_TEST_SUITE_P(Seeds, LoraLaws, ::testing::Range<uint64_t>(0, 20));

TEST_P(LoraLaws, ADifferenceIsTheDifferenceOfTheUpdates) {
  const Lora a = random.lora(), b = random.lora();
  const LoraDifference difference = *subtract(a, b);
  EXPECT_THAT(difference.dropped, ::testing::IsEmpty());
  for (const auto& [name, layer] : difference.lora.layers) {
    const at::Tensor of_a = exact_delta(a.layers.at(name)), of_b = exact_delta(b.layers.at(name));
    const double bound = 1e-6 * (of_a.norm().item<double>() + of_b.norm().item<double>());
    EXPECT_LE(distance(layer.delta(), of_a - of_b), bound) << name;
  }
}

TEST_P(LoraLaws, WithEqualDownFactorsADifferenceKeepsTheRank) {
  const Lora a = random.lora();
  Lora b = a;
  for (auto& [name, layer] : b.layers) {
    layer.b = random.normal(layer.b.sizes());
    layer.alpha *= 1.5;
  }
  const Lora difference = subtract(a, b)->lora;
  for (const auto& [name, layer] : difference.layers) {
    EXPECT_TRUE(at::equal(layer.a, a.layers.at(name).a)) << name;
    const at::Tensor of_a = exact_delta(a.layers.at(name)), of_b = exact_delta(b.layers.at(name));
    const double bound = 1e-6 * (of_a.norm().item<double>() + of_b.norm().item<double>());
    EXPECT_LE(distance(layer.delta(), of_a - of_b), bound) << name;
  }
}

TEST_P(LoraLaws, AWeightedSumIsTheWeightedSumOfTheUpdates) {
  const Lora a = random.lora(), b = random.lora(), c = random.lora();
  const std::vector<WeightedLora> terms = {{&a, 0.6}, {&b, -0.9}, {&c, 2.0}};
  const Lora sum = *weighted_sum(terms);
  for (const auto& [name, layer] : sum.layers) {
    at::Tensor wanted = at::zeros(layer.delta_shape(), at::kDouble);
    double bound = 0;
    for (const WeightedLora& term : terms) {
      const at::Tensor delta = exact_delta(term.lora->layers.at(name)) * term.weight;
      wanted += delta;
      bound += 1e-6 * delta.norm().item<double>();
    }
    EXPECT_LE(distance(layer.delta(), wanted), bound) << name;
    EXPECT_EQ(layer.alpha, static_cast<double>(layer.rank())) << name;
  }
}

TEST_P(LoraLaws, AReductionIsTheBestOfItsRank) {
  const Lora lora = subtract(random.lora(), random.lora())->lora;
  const int64_t rank = random.between(1, 6);
  const LoraReduction reduction = reduce_rank(lora, rank);
  for (const auto& [name, layer] : lora.layers) {
    const LoraLayer& reduced = reduction.lora.layers.at(name);
    EXPECT_LE(reduced.rank(), std::max(rank, layer.rank() <= rank ? layer.rank() : rank)) << name;
    const at::Tensor delta = exact_delta(layer);
    const at::Tensor values = at::linalg_svdvals(delta.flatten(1));
    const double best = values.slice(0, std::min(rank, values.size(0))).norm().item<double>();  // Eckart-Young
    const double whole = values.norm().item<double>();
    EXPECT_NEAR(distance(reduced.delta(), delta), best, 2e-6 * whole) << name;
    const auto told = reduction.layer_relative_error.find(name);
    if (told != reduction.layer_relative_error.end()) {
      EXPECT_NEAR(told->second, best / whole, 1e-6) << name;
    }
  }
}

TEST_P(LoraLaws, TheRelativeErrorOfAReductionIsOverAllLayers) {
  const Lora lora = subtract(random.lora(), random.lora())->lora;
  const LoraReduction reduction = reduce_rank(lora, 2);
  const LoraDifference rest = *subtract(lora, reduction.lora);
  EXPECT_NEAR(reduction.relative_error, norm(rest.lora) / norm(lora), 1e-5);
}

TEST_P(LoraLaws, TheNormIsThatOfTheUpdates) {
  const Lora lora = random.lora();
  double squared = 0;
  for (const auto& [name, layer] : lora.layers) squared += exact_delta(layer).square().sum().item<double>();
  EXPECT_NEAR(norm(lora) / std::sqrt(squared), 1, 1e-9);
}

TEST(LoraDifference, OfALoraAndItselfDropsEveryLayerAndTellsThem) {
  const Lora lora = RandomLoras(1).lora();
  const LoraDifference difference = *subtract(lora, lora);
  EXPECT_TRUE(difference.lora.layers.empty());
  EXPECT_EQ(difference.dropped.size(), lora.layers.size());
  EXPECT_EQ(norm(difference.lora), 0);
}

TEST(LoraDifference, TakesALayerThatOnlyOneHasAsZeroInTheOther) {
  RandomLoras random(2);
  Lora a, b;
  a.layers["only_a"] = random.layer({5, 6});
  b.layers["only_b"] = random.layer({4, 3});
  const Lora difference = subtract(a, b)->lora;
  EXPECT_LT(distance(difference.layers.at("only_a").delta(), exact_delta(a.layers["only_a"])), 1e-5);
  EXPECT_LT(distance(difference.layers.at("only_b").delta(), -exact_delta(b.layers["only_b"])), 1e-5);
}

TEST(LoraDifference, CostsNoRankWhereOneSideHasLearnedNothing) {
  RandomLoras random(3);
  Lora a, b;
  a.layers["layer"] = random.layer({8, 8});
  b.layers["layer"] = random.layer({8, 8});
  b.layers["layer"].b.zero_();
  EXPECT_EQ(subtract(a, b)->lora.layers.at("layer").rank(), a.layers["layer"].rank());
}

TEST(LoraDifference, RefusesLorasOfDifferentBases) {
  RandomLoras random(4);
  Lora a, b;
  a.layers["proj_in"] = random.layer({8, 8});
  b.layers["proj_in"] = random.layer({8, 6});
  const char* text =
      "LoRA layer 'proj_in': one LoRA changes a weight of shape [8, 8], the other one of shape [8, 6]; they were "
      "trained on different base models";
  EXPECT_EQ(subtract(a, b).error().message, text);
  EXPECT_EQ(weighted_sum(std::vector<WeightedLora>{{&a, 1}, {&b, 1}}).error().message, text);
}

TEST(LoraReduction, LeavesLowRanksAsTheyAre) {
  Lora lora;
  lora.layers["layer"] = RandomLoras(5).layer({20, 20});
  const LoraReduction reduction = reduce_rank(lora, lora.layers["layer"].rank());
  EXPECT_TRUE(at::equal(reduction.lora.layers.at("layer").a, lora.layers["layer"].a));
  EXPECT_EQ(reduction.relative_error, 0);
  EXPECT_TRUE(reduction.layer_relative_error.empty());
}

}  // namespace
}  // namespace atelier::diffusion
