#include "diffusion/lora_compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "diffusion/lora_algebra.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

/// An orthonormal basis of the column space of a dense matrix: its singular vectors with values over rounding.
at::Tensor dense_columns(const at::Tensor& matrix) {
  const auto [u, s, vh] = at::linalg_svd(matrix, /*full_matrices=*/false);
  return u.slice(1, 0, s.gt(s[0] * 1e-9).sum().item<int64_t>());
}

/// Angles by their definition, from cosines alone; good to 1e-7 where they are not small.
std::vector<double> angles_by_cosine(const at::Tensor& first, const at::Tensor& second) {
  const at::Tensor cosines = at::linalg_svdvals(at::mm(first.t(), second)).clamp_max(1);
  std::vector<double> angles;
  for (int64_t i = 0; i < cosines.size(0); ++i) angles.push_back(std::acos(cosines[i].item<double>()));
  return angles;
}

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Pointwise;

/// The laws hold for random ranks, alphas and shapes; the parameter is the seed.
class ComparisonLaws : public ::testing::TestWithParam<uint64_t> {
 protected:
  ComparisonLaws() : random(GetParam()), a(random.lora()), b(random.lora()) {}
  RandomLoras random;
  Lora a, b;
};
INSTANTIATE_TEST_SUITE_P(Seeds, ComparisonLaws, ::testing::Range<uint64_t>(0, 20));

TEST_P(ComparisonLaws, NormsAreThoseOfTheDenseUpdates) {
  const LoraComparison comparison = *compare(a, b);
  double squared_difference = 0, squared_second = 0;
  for (const auto& [name, layer] : comparison.layers) {
    const at::Tensor of_a = exact_delta(a.layers.at(name)), of_b = exact_delta(b.layers.at(name));
    const double difference = distance(of_a, of_b), norm_a = of_a.norm().item<double>(),
                 norm_b = of_b.norm().item<double>();
    EXPECT_NEAR(layer.difference, difference, 1e-12 * (norm_a + norm_b)) << name;
    EXPECT_NEAR(layer.first_norm / norm_a, 1, 1e-12) << name;
    EXPECT_NEAR(layer.second_norm / norm_b, 1, 1e-12) << name;
    EXPECT_NEAR(layer.relative, difference / norm_b, 1e-12 * (norm_a + norm_b) / norm_b) << name;
    squared_difference += difference * difference;
    squared_second += norm_b * norm_b;
  }
  EXPECT_NEAR(comparison.relative, std::sqrt(squared_difference / squared_second), 1e-10);
}

TEST_P(ComparisonLaws, AnglesAreThoseOfTheDenseUpdates) {
  const LoraComparison comparison = *compare(a, b);
  for (const auto& [name, layer] : comparison.layers) {
    const at::Tensor of_a = exact_delta(a.layers.at(name)).flatten(1), of_b = exact_delta(b.layers.at(name)).flatten(1);
    EXPECT_THAT(layer.column_angles,
                Pointwise(DoubleNear(1e-6), angles_by_cosine(dense_columns(of_a), dense_columns(of_b))))
        << name;
    EXPECT_THAT(layer.row_angles,
                Pointwise(DoubleNear(1e-6), angles_by_cosine(dense_columns(of_a.t()), dense_columns(of_b.t()))))
        << name;
  }
}

TEST_P(ComparisonLaws, ALoraIsNoWayFromItselfInAnyForm) {
  const LoraComparison same = *compare(a, a);
  EXPECT_EQ(same.relative, 0);
  Lora other;  // the same updates of other factors: twice the rank, another alpha
  for (const auto& [name, layer] : a.layers)
    other.layers[name] = {.a = at::cat({layer.a, layer.a}),
                          .b = at::cat({layer.b.to(at::kDouble) * 0.25, layer.b.to(at::kDouble) * 0.75}, 1),
                          .alpha = layer.alpha * 2};
  const LoraComparison comparison = *compare(a, other);
  EXPECT_LT(comparison.relative, 1e-14);
  for (const auto& [name, layer] : comparison.layers) {
    EXPECT_THAT(layer.column_angles, Each(::testing::Lt(1e-7))) << name;
    EXPECT_THAT(layer.row_angles, Each(::testing::Lt(1e-7))) << name;
  }
}

TEST(PrincipalAngles, AreExactForSmallAnglesAndRightOnes) {
  for (const double angle : {0.0, 1e-12, 1e-8, 0.3, 1.2, std::numbers::pi / 2}) {
    const at::Tensor first = at::eye(5, at::kDouble).slice(1, 0, 2);  // e1, e2
    at::Tensor second = at::zeros({5, 1}, at::kDouble);
    second[0][0] = std::cos(angle);
    second[4][0] = std::sin(angle);
    const std::vector<double> angles = principal_angles(first, second);
    ASSERT_EQ(angles.size(), 1U);
    EXPECT_NEAR(angles[0], angle, 1e-15 + 1e-15 * angle);
    EXPECT_EQ(principal_angles(second, first), angles);
  }
}

TEST(LoraComparison, TakesALayerThatOnlyOneHasAsZeroInTheOther) {
  RandomLoras random(2);
  Lora a, b;
  a.layers["both"] = b.layers["both"] = random.layer({6, 5});
  a.layers["only_a"] = random.layer({5, 6});
  b.layers["only_b"] = random.layer({4, 3});
  const LoraComparison comparison = *compare(a, b);
  EXPECT_THAT(comparison.first_only, ElementsAre("only_a"));
  EXPECT_THAT(comparison.second_only, ElementsAre("only_b"));
  EXPECT_EQ(comparison.layers.size(), 1U);
  EXPECT_NEAR(comparison.relative,
              std::hypot(norm(a.layers["only_a"]), norm(b.layers["only_b"])) /
                  std::hypot(norm(b.layers["both"]), norm(b.layers["only_b"])),
              1e-9);
}

TEST(LoraComparison, OfZeroLayersHasNoAnglesAndIsZeroOrInfinite) {
  RandomLoras random(3);
  Lora zero, empty, some;
  zero.layers["layer"] = random.layer({5, 6});
  zero.layers["layer"].b.zero_();
  empty.layers["layer"] = {.a = at::zeros({0, 6}), .b = at::zeros({5, 0}), .alpha = 4};
  some.layers["layer"] = random.layer({5, 6});
  EXPECT_EQ(compare(zero, empty)->relative, 0);
  EXPECT_EQ(compare(some, empty)->relative, std::numeric_limits<double>::infinity());
  EXPECT_EQ(compare(some, empty)->layers.at("layer").relative, std::numeric_limits<double>::infinity());
  EXPECT_NEAR(compare(zero, some)->relative, 1, 1e-12);
  EXPECT_TRUE(compare(zero, some)->layers.at("layer").column_angles.empty());
  EXPECT_TRUE(compare(empty, some)->layers.at("layer").row_angles.empty());
}

TEST(LoraComparison, RefusesOtherShapesAndFactorsThatAreNoNumbers) {
  RandomLoras random(4);
  Lora a, b;
  a.layers["proj_in"] = random.layer({8, 8});
  b.layers["proj_in"] = random.layer({8, 6});
  EXPECT_EQ(compare(a, b).error().message,
            "LoRA layer 'proj_in': one LoRA changes a weight of shape [8, 8], the other one of shape [8, 6]; they "
            "were trained on different base models");
  b.layers["proj_in"].a[0][0] = std::nanf("");
  EXPECT_EQ(compare(a, b).error().message, "LoRA layer 'proj_in': its factors hold NaN or infinite numbers");
}

}  // namespace
}  // namespace atelier::diffusion
