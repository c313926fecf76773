#include "diffusion/lora_merge.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "diffusion/lora_fuse.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

/// A layer whose dW is exactly `delta`, [out, in].
LoraLayer layer_with(const at::Tensor& delta) {
  return {.a = delta, .b = at::eye(delta.size(0)), .alpha = static_cast<double>(delta.size(0))};
}

Lora lora_with(const at::Tensor& delta) {
  Lora lora;
  lora.layers["conv_in"] = layer_with(delta);
  return lora;
}

at::Tensor matrix(std::vector<float> values) { return at::tensor(values).view({2, 6}); }

/// The update that a merge fuses into the weight of conv_in.
at::Tensor merged(std::span<const WeightedLora> terms, const MergeMethod& method) {
  const auto fused = fuse({{"conv_in.weight", at::zeros({2, 6})}}, LoraPart::unet, terms, {.method = method});
  return fused.value().at("conv_in.weight");
}

/// Every element of the n-th draw is the n-th of these values.
DropSource constant_draws(std::vector<float> of_loras) {
  return [of_loras](std::string_view, size_t lora, std::span<float> values) {
    std::ranges::fill(values, of_loras.at(lora));
  };
}

/// Uniform numbers that depend on the layer's length and the LoRA.
DropSource random_draws(uint64_t seed) {
  return [seed](std::string_view layer, size_t lora, std::span<float> values) {
    at::Generator generator = at::detail::createCPUGenerator(seed + 31 * lora + 1009 * layer.size());
    const at::Tensor drawn = at::rand({static_cast<int64_t>(values.size())}, generator, at::TensorOptions(at::kFloat));
    std::copy_n(drawn.data_ptr<float>(), values.size(), values.begin());
  };
}

class TiesTest : public ::testing::Test {
 protected:
  const Lora a = lora_with(matrix({1, -2, 3, -4, 0.5, 6, 0.25, -7, 8, -9, 10, 0.125}));
  const Lora b = lora_with(matrix({-1.5, -1, -5, 4.5, 7, -0.75, 2, 3, -8.5, -1.25, -11, 12}));
  const Lora c = lora_with(matrix({2.5, 2.25, -1.75, -3.5, 0, 0.25, -6.5, -3.25, 4.25, 1, -0.5, 5.5}));
  const std::vector<WeightedLora> terms = {{&a, 1}, {&b, 0.5}, {&c, -2}};
};

// The numbers of peft 0.21.2: peft.utils.merge_utils.ties([a, b, c], weights=[1, 0.5, -2], density).
TEST_F(TiesTest, IsPeftsTies) {
  EXPECT_TRUE(
      at::allclose(merged(terms, Ties{0.5}), matrix({-5, 0, -2.5, 1.5, 3.5, 6, 13, -0.25, -0.25, -9, -5.5, -2.5})));
  EXPECT_TRUE(at::allclose(merged(terms, Ties{0.34}), matrix({0, 0, 0, 7, 3.5, 0, 13, -7, -0.25, -9, -5.5, -2.5})));
  EXPECT_TRUE(at::allclose(merged(terms, Ties{1}),
                           matrix({-2, -1.25, 0.5, 1.5, 2, 2.75, 13, -0.25, -0.25, -4.8125, -2.25, -1.625})));
}

TEST_F(TiesTest, ALoraOfWeightZeroHasNoVoice) {
  const std::vector<WeightedLora> without = {{&a, 1}, {&b, 0.5}};
  const std::vector<WeightedLora> silenced = {{&a, 1}, {&b, 0.5}, {&c, 3, *BlockWeights::parse("in=0")}};
  EXPECT_TRUE(at::equal(merged(silenced, Ties{0.5}), merged(without, Ties{0.5})));
}

TEST_F(TiesTest, TheMergedFactorsAreTheFusedUpdate) {
  const LoraReduction reduction = *merge(terms, Ties{0.5}, {.rank = 2});
  EXPECT_LT(distance(reduction.lora.layers.at("conv_in").delta(), merged(terms, Ties{0.5})), 1e-5);
  EXPECT_LT(reduction.relative_error, 1e-6);
  const at::Tensor values = at::linalg_svdvals(merged(terms, Ties{0.5}).to(at::kDouble));
  const LoraReduction lower = *merge(terms, Ties{0.5}, {.rank = 1});
  EXPECT_NEAR(lower.relative_error, values[1].item<double>() / values.norm().item<double>(), 1e-6);
  EXPECT_NEAR(lower.layer_relative_error.at("conv_in"), lower.relative_error, 1e-12);
}

TEST_F(TiesTest, KeepsAtLeastOneElement) {
  EXPECT_EQ(merged(std::vector<WeightedLora>{{&a, 1}}, Ties{1e-6}).count_nonzero().item<int64_t>(), 1);
}

/// The laws hold for random ranks, alphas and shapes; the parameter is the seed.
class MergeLaws : public ::testing::TestWithParam<uint64_t> {
 protected:
  MergeLaws() : random(GetParam()), a(random.lora()), b(random.lora()) {}
  RandomLoras random;
  Lora a, b;
};
INSTANTIATE_TEST_SUITE_P(Seeds, MergeLaws, ::testing::Range<uint64_t>(0, 10));

TEST_P(MergeLaws, DareOfDensityOneIsTheSum) {
  const std::vector<WeightedLora> terms = {{&a, 0.5}, {&b, -2}};
  const LoraReduction reduction = *merge(terms, Dare{1, random_draws(GetParam())}, {.error = 0});
  const Lora sum = *weighted_sum(terms);
  for (const auto& [name, layer] : sum.layers)
    EXPECT_LE(distance(reduction.lora.layers.at(name).delta(), exact_delta(layer)),
              2e-6 * exact_delta(layer).norm().item<double>())
        << name;
}

TEST_P(MergeLaws, TiesOfDensityOneOfALoraWithItselfIsIt) {
  const LoraReduction reduction = *merge(std::vector<WeightedLora>{{&a, 1}, {&a, 1}}, Ties{1}, {.error = 0});
  for (const auto& [name, layer] : a.layers)
    EXPECT_LE(distance(reduction.lora.layers.at(name).delta(), exact_delta(layer)),
              2e-6 * exact_delta(layer).norm().item<double>())
        << name;
}

TEST_P(MergeLaws, DareKeepsEachElementWholeOrNotAtAll) {
  const double density = 0.25;
  const std::string name = "down_blocks.0.resnets.0.conv1";
  const at::Tensor weight = at::zeros(a.layers.at(name).delta_shape());
  Lora lora;
  lora.layers[name] = a.layers.at(name);
  const WeightMap fused = *fuse({{name + ".weight", weight}}, LoraPart::unet, std::vector<WeightedLora>{{&lora, 0.5}},
                                {.method = Dare{density, random_draws(GetParam())}});
  const at::Tensor share = fused.at(name + ".weight") / (a.layers.at(name).delta() * (0.5 / density));
  EXPECT_TRUE((share.eq(0) | (share - 1).abs().lt(1e-5)).all().item<bool>());
  const double kept = share.ne(0).to(at::kDouble).mean().item<double>();
  const double deviation = std::sqrt(density * (1 - density) / static_cast<double>(share.numel()));
  EXPECT_NEAR(kept, density, 5 * deviation);
}

TEST(Dare, AsksForTheNumbersOfEachLoraByItsPlace) {
  const Lora first = lora_with(at::ones({2, 6})), second = lora_with(at::ones({2, 6}) * 3);
  const std::vector<WeightedLora> terms = {{&first, 1}, {&second, 1}};
  const auto value = [&](std::vector<float> draws) {
    const at::Tensor update = merged(terms, Dare{0.5, constant_draws(std::move(draws))});
    EXPECT_TRUE(at::equal(update, at::ones_like(update) * update[0][0]));
    return update[0][0].item<float>();
  };
  EXPECT_EQ(value({0.75F, 0.25F}), 6);
  EXPECT_EQ(value({0.25F, 0.75F}), 2);
  EXPECT_EQ(value({0.25F, 0.49F}), 8);
  EXPECT_EQ(value({0.5F, 0.9F}), 0);
}

TEST(LoraMerge, DropsLayersThatComeOutAsZeroAndTellsThem) {
  const Lora lora = lora_with(at::ones({2, 6}));
  const LoraReduction reduction =
      *merge(std::vector<WeightedLora>{{&lora, 1}}, Dare{0.5, constant_draws({0.75F})}, {.rank = 2});
  EXPECT_THAT(reduction.dropped, ::testing::ElementsAre("conv_in"));
  EXPECT_TRUE(reduction.lora.layers.empty());
  EXPECT_EQ(reduction.relative_error, 0);
}

TEST(LoraMerge, CastsTheFusedWeightOnceAndSharesTheOthers) {
  const Lora lora = lora_with(at::ones({2, 6}));
  const at::Tensor weight = at::ones({2, 6}, at::kHalf), other = at::ones({3});
  const WeightMap base = {{"conv_in.weight", weight}, {"conv_out.weight", other}};
  const std::vector<WeightedLora> terms = {{&lora, 0.5}};
  const WeightMap fused = *fuse(base, LoraPart::unet, terms, {.method = Ties{1}});
  EXPECT_TRUE(at::equal(fused.at("conv_in.weight"), at::ones({2, 6}, at::kHalf) * 1.5));
  EXPECT_TRUE(fused.at("conv_out.weight").is_same(other));
  EXPECT_TRUE(at::equal(weight, at::ones({2, 6}, at::kHalf)));
  EXPECT_EQ(
      fuse(base, LoraPart::unet, terms, {.method = Ties{1}, .dtype = at::kFloat})->at("conv_in.weight").scalar_type(),
      at::kFloat);
}

TEST(LoraMerge, RefusesWhatItCannotMerge) {
  const Lora lora = lora_with(at::ones({2, 6})), other = lora_with(at::ones({2, 5}));
  Lora broken = lora_with(at::ones({2, 6}));
  broken.layers["conv_in"].alpha = std::nan("");
  const RankLimit limit = {.rank = 2};
  const auto message = [&](std::vector<WeightedLora> terms, const MergeMethod& method) {
    return merge(terms, method, limit).error().message;
  };
  EXPECT_EQ(merge({}, Ties{}, {}).error().message, "a reduction needs a rank, an energy or an error");
  EXPECT_EQ(message({{&lora, 1}}, Ties{0}), "density 0 is out of range: give more than 0 and at most 1");
  EXPECT_EQ(message({{&lora, 1}}, Dare{1.5, {}}), "density 1.5 is out of range: give more than 0 and at most 1");
  EXPECT_EQ(message({{&lora, INFINITY}}, Ties{}), "the weight of LoRA 1 is inf, which is no finite number");
  EXPECT_EQ(message({{&lora, 1}, {&other, 1}}, Ties{}),
            "LoRA layer 'conv_in': one LoRA changes a weight of shape [2, 6], the other one of shape [2, 5]; they were "
            "trained on different base models");
  EXPECT_EQ(message({{&broken, 1}}, Ties{}), "LoRA layer 'conv_in': its factors hold NaN or infinite numbers");
  const std::vector<WeightedLora> terms = {{&lora, 1}};
  EXPECT_EQ(fuse({}, LoraPart::unet, terms, {.method = Ties{}}).error().message,
            "LoRA layer 'conv_in': the base model has no such layer");
  EXPECT_EQ(fuse({}, LoraPart::unet, terms, {.method = Ties{2}}).error().message,
            "density 2 is out of range: give more than 0 and at most 1");
}

}  // namespace
}  // namespace atelier::diffusion
