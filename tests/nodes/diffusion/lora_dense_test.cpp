// LoHa and LoKr as layers of LoRA: the same dW, exactly, where they are products of fewer ranks than their sides.
#include "diffusion/lora_dense.h"

#include "goldens.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

using F = LoraFactor;

class DenseLaws : public ::testing::TestWithParam<uint64_t> {
 protected:
  DenseLaws() : random(GetParam()) {}

  /// The layer that the factors are, and its dW.
  void expect_exact(DenseKind kind, const LoraFactors& factors, int64_t rank) {
    const auto update = DenseUpdate::create(kind, factors, 3);
    ASSERT_TRUE(update) << update.error().message;
    const auto layer = update->as_layer();
    ASSERT_TRUE(layer);
    EXPECT_EQ(layer->rank(), rank);
    const at::Tensor delta = update->delta();
    EXPECT_EQ(update->shape(), delta.sizes().vec());
    ASSERT_EQ(layer->delta_shape(), update->shape());
    EXPECT_LT(distance(exact_delta(*layer), delta), 1e-6 * delta.norm().item<double>());
  }

  at::Tensor normal(at::IntArrayRef shape) { return random.normal(shape); }

  RandomLoras random;
  const int64_t r = random.between(1, 3);
};
INSTANTIATE_TEST_SUITE_P(Seeds, DenseLaws, ::testing::Range<uint64_t>(0, 10));

TEST_P(DenseLaws, LohaHasTheProductOfItsRanks) {
  expect_exact(DenseKind::loha,
               {{F::hada_w1_a, normal({20, r})},
                {F::hada_w1_b, normal({r, 16})},
                {F::hada_w2_a, normal({20, r})},
                {F::hada_w2_b, normal({r, 16})}},
               r * r);
}

TEST_P(DenseLaws, LohaInTuckersFormHasTheProductOfItsOuterRanks) {
  expect_exact(DenseKind::loha,
               {{F::hada_t1, normal({r, r, 3, 3})},
                {F::hada_w1_a, normal({r, 20})},
                {F::hada_w1_b, normal({r, 16})},
                {F::hada_t2, normal({r, r, 3, 3})},
                {F::hada_w2_a, normal({r, 20})},
                {F::hada_w2_b, normal({r, 16})}},
               r * r);
}

TEST_P(DenseLaws, LokrOfTwoProductsHasTheProductOfTheirRanks) {
  expect_exact(DenseKind::lokr,
               {{F::lokr_w1_a, normal({4, r})},
                {F::lokr_w1_b, normal({r, 5})},
                {F::lokr_w2_a, normal({6, r})},
                {F::lokr_w2_b, normal({r, 7})}},
               r * r);
}

TEST_P(DenseLaws, LokrWithAWholeSideHasItsSmallerSideTimesTheRank) {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{3, 4}, {4, 3}})
    expect_exact(DenseKind::lokr,
                 {{F::lokr_w1, normal({rows, columns})},
                  {F::lokr_t2, normal({r, r, 3, 3})},
                  {F::lokr_w2_a, normal({r, 6})},
                  {F::lokr_w2_b, normal({r, 7})}},
                 3 * r);
  expect_exact(DenseKind::lokr,
               {{F::lokr_w1_a, normal({8, 1})}, {F::lokr_w1_b, normal({1, 9})}, {F::lokr_w2, normal({5, 6})}}, 5);
}

TEST(Dense, OfFullRankIsNoLayer) {
  RandomLoras random(1);
  const auto lokr = DenseUpdate::create(DenseKind::lokr,
                                        {{F::lokr_w1, random.normal({2, 2})}, {F::lokr_w2, random.normal({6, 7})}}, 1);
  EXPECT_FALSE(lokr->as_layer());
  const auto loha = DenseUpdate::create(DenseKind::loha,
                                        {{F::hada_w1_a, random.normal({8, 3})},
                                         {F::hada_w1_b, random.normal({3, 8})},
                                         {F::hada_w2_a, random.normal({8, 3})},
                                         {F::hada_w2_b, random.normal({3, 8})}},
                                        1);
  EXPECT_FALSE(loha->as_layer()) << "9 ranks in a matrix of 8 x 8";
}

}  // namespace
}  // namespace atelier::diffusion
