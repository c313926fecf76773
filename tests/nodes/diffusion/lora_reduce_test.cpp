#include "diffusion/lora_reduce.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "diffusion/lora_algebra.h"
#include "diffusion/lora_svd.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

/// The laws hold for random ranks, alphas and shapes; the parameter is the seed. The LoRA is a difference, so that its
/// ranks reach 18, beyond the smallest sides of its weights.
class ReductionLaws : public ::testing::TestWithParam<uint64_t> {
 protected:
  ReductionLaws() : random(GetParam()), lora(subtract(random.lora(), random.lora())->lora) {}

  /// The singular values of each layer's dense dW.
  static at::Tensor dense_values(const LoraLayer& layer) { return at::linalg_svdvals(exact_delta(layer).flatten(1)); }

  RandomLoras random;
  Lora lora;
};
INSTANTIATE_TEST_SUITE_P(Seeds, ReductionLaws, ::testing::Range<uint64_t>(0, 20));

TEST_P(ReductionLaws, SingularValuesAreThoseOfTheDenseUpdate) {
  for (const auto& [name, layer] : lora.layers) {
    const at::Tensor dense = dense_values(layer), values = singular_values(layer);
    const int64_t count = std::min(dense.size(0), layer.rank());
    ASSERT_EQ(values.size(0), count) << name;
    EXPECT_TRUE(at::allclose(values, dense.slice(0, 0, count), 1e-9, 1e-9 * dense[0].item<double>())) << name;
  }
}

TEST_P(ReductionLaws, AReductionToARankIsTheBestOfItsRank) {
  const int64_t rank = random.between(1, 6);
  const LoraReduction reduction = *reduce(lora, {.rank = rank});
  for (const auto& [name, layer] : lora.layers) {
    const LoraLayer& reduced = reduction.lora.layers.at(name);
    EXPECT_LE(reduced.rank(), rank) << name;
    EXPECT_EQ(reduced.delta_shape(), layer.delta_shape()) << name;
    const at::Tensor delta = exact_delta(layer), values = dense_values(layer);
    const double best = values.slice(0, std::min(rank, values.size(0))).norm().item<double>();  // Eckart-Young
    const double whole = values.norm().item<double>();
    EXPECT_NEAR(distance(exact_delta(reduced), delta), best, 1e-6 * whole) << name;
    const auto told = reduction.layer_relative_error.find(name);
    if (told != reduction.layer_relative_error.end()) {
      EXPECT_NEAR(told->second, best / whole, 1e-6) << name;
    }
  }
}

TEST_P(ReductionLaws, AnEnergyKeepsTheFewestValuesThatHaveIt) {
  const double energy = 0.01 * static_cast<double>(random.between(1, 99));
  const LoraReduction reduction = *reduce(lora, {.energy = energy});
  for (const auto& [name, layer] : lora.layers) {
    const at::Tensor squares = dense_values(layer).square();
    const int64_t kept = reduction.lora.layers.at(name).rank();
    const double whole = squares.sum().item<double>();
    EXPECT_GE(squares.slice(0, 0, kept).sum().item<double>(), energy * whole * (1 - 1e-9)) << name;
    EXPECT_LT(squares.slice(0, 0, kept - 1).sum().item<double>(), energy * whole) << name;
    const double left = std::pow(exact_delta(reduction.lora.layers.at(name)).norm().item<double>(), 2);
    EXPECT_GE(left, energy * whole * (1 - 1e-5)) << name;
  }
}

TEST_P(ReductionLaws, AnErrorIsHeldByTheLeastRank) {
  const double error = 0.01 * static_cast<double>(random.between(1, 99));
  const LoraReduction reduction = *reduce(lora, {.error = error});
  EXPECT_LE(reduction.relative_error, error);
  for (const auto& [name, layer] : lora.layers) {
    const at::Tensor values = dense_values(layer);
    const double whole = values.norm().item<double>();
    const LoraLayer& reduced = reduction.lora.layers.at(name);
    EXPECT_LE(distance(exact_delta(reduced), exact_delta(layer)), error * whole * (1 + 1e-5)) << name;
    EXPECT_GT(values.slice(0, reduced.rank() - 1).norm().item<double>(), error * whole) << name;
  }
}

TEST_P(ReductionLaws, WholeEnergyAndNoErrorKeepTheUpdateAtItsTrueRank) {
  for (const RankLimit& limit : {RankLimit{.energy = 1}, RankLimit{.error = 0}}) {
    const LoraReduction reduction = *reduce(lora, limit);
    EXPECT_LT(reduction.relative_error, 1e-7);
    for (const auto& [name, layer] : lora.layers) {
      const LoraLayer& reduced = reduction.lora.layers.at(name);
      const int64_t true_rank = std::min(layer.rank(), std::min(layer.b.size(0), layer.a.flatten(1).size(1)));
      EXPECT_EQ(reduced.rank(), true_rank) << name;
      EXPECT_LE(distance(reduced.delta(), exact_delta(layer)), 1e-6 * exact_delta(layer).norm().item<double>()) << name;
    }
  }
}

TEST_P(ReductionLaws, ARankBesideAnEnergyIsTheMostThatStays) {
  const LoraReduction both = *reduce(lora, {.rank = 3, .energy = 0.9}), by_energy = *reduce(lora, {.energy = 0.9});
  for (const auto& [name, layer] : both.lora.layers)
    EXPECT_EQ(layer.rank(), std::min<int64_t>(3, by_energy.lora.layers.at(name).rank())) << name;
}

TEST_P(ReductionLaws, TheRelativeErrorIsOverAllLayers) {
  const LoraReduction reduction = *reduce(lora, {.rank = 2});
  const LoraDifference rest = *subtract(lora, reduction.lora);
  EXPECT_NEAR(reduction.relative_error, norm(rest.lora) / norm(lora), 1e-5);
}

TEST(LoraReduction, LeavesLowRanksAsTheyAre) {
  Lora lora;
  lora.layers["layer"] = RandomLoras(5).layer({20, 20});
  const int64_t rank = lora.layers["layer"].rank();
  for (const RankLimit& limit : {RankLimit{.rank = rank}, RankLimit{.rank = 4096}, RankLimit{.energy = 1}}) {
    const LoraReduction reduction = *reduce(lora, limit);
    EXPECT_TRUE(at::equal(reduction.lora.layers.at("layer").a, lora.layers["layer"].a));
    EXPECT_TRUE(at::equal(reduction.lora.layers.at("layer").b, lora.layers["layer"].b));
    EXPECT_EQ(reduction.lora.layers.at("layer").alpha, lora.layers["layer"].alpha);
    EXPECT_EQ(reduction.relative_error, 0);
    EXPECT_TRUE(reduction.layer_relative_error.empty());
  }
}

TEST(LoraReduction, DropsLayersOfRankZeroAndLayersThatAreZeroAndTellsThem) {
  RandomLoras random(6);
  Lora lora;
  lora.layers["empty"] = {.a = at::zeros({0, 4, 3, 3}), .b = at::zeros({5, 0}), .alpha = 1};
  lora.layers["kept"] = random.layer({8, 6});
  lora.layers["no_alpha"] = random.layer({8, 6});
  lora.layers["no_alpha"].alpha = 0;
  lora.layers["zero"] = random.layer({8, 6});
  lora.layers["zero"].b.zero_();
  for (const RankLimit& limit : {RankLimit{.rank = 1}, RankLimit{.rank = 100}, RankLimit{.energy = 0.5}}) {
    const LoraReduction reduction = *reduce(lora, limit);
    EXPECT_THAT(reduction.dropped, ::testing::ElementsAre("empty", "no_alpha", "zero"));
    EXPECT_EQ(reduction.lora.layers.size(), 1U);
  }
}

TEST(LoraReduction, OfAnEmptyLoraIsEmpty) {
  const LoraReduction reduction = *reduce({}, {.rank = 4});
  EXPECT_TRUE(reduction.lora.layers.empty());
  EXPECT_EQ(reduction.relative_error, 0);
}

TEST(LoraReduction, FindsTheTrueRankUnderStackedCopies) {
  const Lora lora = RandomLoras(8).lora();
  const Lora twice = *weighted_sum(std::vector<WeightedLora>{{&lora, 1}, {&lora, 1}});
  const LoraReduction reduction = *reduce(twice, {.error = 0});
  for (const auto& [name, layer] : reduction.lora.layers) {
    const LoraLayer& single = lora.layers.at(name);
    EXPECT_EQ(layer.rank(), std::min(single.rank(), std::min(single.b.size(0), single.a.flatten(1).size(1)))) << name;
  }
}

TEST(LoraReduction, RefusesLimitsThatAreNone) {
  const auto message = [](const RankLimit& limit) { return reduce({}, limit).error().message; };
  EXPECT_EQ(message({}), "a reduction needs a rank, an energy or an error");
  EXPECT_EQ(message({.energy = 0.5, .error = 0.5}), "a reduction takes an energy or an error, not both");
  EXPECT_EQ(message({.rank = 0}), "rank 0 is out of range: give at least 1");
  EXPECT_EQ(message({.rank = -3}), "rank -3 is out of range: give at least 1");
  EXPECT_EQ(message({.energy = 0}), "energy 0 is out of range: give more than 0 and at most 1");
  EXPECT_EQ(message({.energy = 1.5}), "energy 1.5 is out of range: give more than 0 and at most 1");
  EXPECT_EQ(message({.energy = std::nan("")}), "energy nan is out of range: give more than 0 and at most 1");
  EXPECT_EQ(message({.error = 1}), "error 1 is out of range: give at least 0 and less than 1");
  EXPECT_EQ(message({.error = -0.1}), "error -0.1 is out of range: give at least 0 and less than 1");
}

TEST(LoraReduction, RefusesFactorsThatAreNoNumbers) {
  Lora lora;
  lora.layers["layer"] = RandomLoras(7).layer({8, 6});
  lora.layers["layer"].b[0][0] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(reduce(lora, {.rank = 1}).error().message, "LoRA layer 'layer': its factors hold NaN or infinite numbers");
}

}  // namespace
}  // namespace atelier::diffusion
