#include "diffusion/lora_algebra.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

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

TEST_P(LoraLaws, ASumDoesNotDependOnTheOrderOfItsTerms) {
  const Lora a = random.lora(), b = random.lora(), c = random.lora();
  const Lora first = *weighted_sum(std::vector<WeightedLora>{{&a, 0.6}, {&b, -0.9}, {&c, 2.0}});
  const Lora second = *weighted_sum(std::vector<WeightedLora>{{&c, 2.0}, {&a, 0.6}, {&b, -0.9}});
  ASSERT_EQ(first.layers.size(), second.layers.size());
  for (const auto& [name, layer] : first.layers)
    EXPECT_LE(distance(layer.delta(), second.layers.at(name).delta()), 1e-6 * exact_delta(layer).norm().item<double>())
        << name;
}

/// Layers at random out of those of `lora`.
Lora part_of_layers(const Lora& lora, RandomLoras& random) {
  Lora part;
  for (const auto& [name, layer] : lora.layers)
    if (random.between(0, 1) == 1) part.layers[name] = layer;
  return part;
}

TEST_P(LoraLaws, HoldWhereEachLoraHasOnlySomeOfTheLayers) {
  const Lora a = part_of_layers(random.lora(), random), b = part_of_layers(random.lora(), random);
  const Lora difference = subtract(a, b)->lora, sum = *weighted_sum(std::vector<WeightedLora>{{&a, 1}, {&b, 0.5}});
  for (const auto& target : random.lora().layers) {
    const std::string& name = target.first;
    const auto delta = [&](const Lora& lora) {
      const auto found = lora.layers.find(name);
      return found == lora.layers.end() ? at::zeros(target.second.delta_shape(), at::kDouble)
                                        : exact_delta(found->second);
    };
    const at::Tensor of_a = delta(a), of_b = delta(b);
    const double bound = 1e-6 * (of_a.norm().item<double>() + of_b.norm().item<double>());
    EXPECT_LE(distance(delta(difference), of_a - of_b), bound) << name;
    EXPECT_LE(distance(delta(sum), of_a + of_b * 0.5), bound) << name;
    const bool in_any = a.layers.contains(name) || b.layers.contains(name);
    EXPECT_EQ(difference.layers.contains(name), in_any) << name;
    EXPECT_EQ(sum.layers.contains(name), in_any) << name;
  }
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

TEST(LoraDifference, TakesALayerOfRankZeroAsZero) {
  Lora a, b;
  a.layers["layer"] = {.a = at::zeros({0, 6}), .b = at::zeros({5, 0}), .alpha = 4};
  b.layers["layer"] = RandomLoras(6).layer({5, 6});
  EXPECT_EQ(norm(a), 0);
  EXPECT_TRUE(at::equal(a.layers["layer"].delta(), at::zeros({5, 6})));
  EXPECT_LT(distance(subtract(a, b)->lora.layers.at("layer").delta(), -exact_delta(b.layers["layer"])), 1e-5);
  EXPECT_LT(distance(subtract(b, a)->lora.layers.at("layer").delta(), exact_delta(b.layers["layer"])), 1e-5);
  EXPECT_THAT(subtract(a, a)->dropped, ::testing::ElementsAre("layer"));
}

TEST(LoraSum, RefusesAWeightThatIsNoNumber) {
  const Lora lora = RandomLoras(7).lora();
  EXPECT_EQ(weighted_sum(std::vector<WeightedLora>{{&lora, 1}, {&lora, std::nan("")}}).error().message,
            "the weight of LoRA 2 is nan, which is no finite number");
}

}  // namespace
}  // namespace atelier::diffusion
