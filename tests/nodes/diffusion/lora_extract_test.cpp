#include "diffusion/lora_extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "diffusion/lora_truncate.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

/// The error of the best approximation of that rank, from a full SVD.
double best_error(const at::Tensor& delta, int64_t rank) {
  const at::Tensor values = at::linalg_svdvals(delta.to(at::kDouble).flatten(1));
  return values.slice(0, std::min(rank, values.size(0))).norm().item<double>();
}

double size_of(const at::Tensor& delta) { return delta.to(at::kDouble).norm().item<double>(); }

/// The laws hold for random shapes and spectra; the parameter is the seed.
class DenseReductionLaws : public ::testing::TestWithParam<uint64_t> {
 protected:
  DenseReductionLaws() : random(GetParam()) {}

  /// A dense update whose singular values fall as those of trainings do, by 1 to 4 powers of ten over its sides.
  at::Tensor falling(const std::vector<int64_t>& shape) {
    const at::Tensor matrix = random.normal(shape).flatten(1).to(at::kDouble);
    const auto [u, s, vh] = at::linalg_svd(matrix, /*full_matrices=*/false);
    const auto powers = static_cast<double>(random.between(1, 4));
    const at::Tensor values = at::logspace(0, -powers, s.size(0), 10.0, at::TensorOptions(at::kDouble));
    return at::mm(u * values, vh).view(shape).to(at::kFloat);
  }

  std::vector<std::vector<int64_t>> shapes() {
    const int64_t out = random.between(3, 60), in = random.between(3, 60);
    return {{out, in}, {out, in, 1, 1}, {out, in, 3, 3}};
  }

  RandomLoras random;
};
INSTANTIATE_TEST_SUITE_P(Seeds, DenseReductionLaws, ::testing::Range<uint64_t>(0, 20));

TEST_P(DenseReductionLaws, ARankHasTheErrorOfTheTruncatedFullDecomposition) {
  for (const auto& shape : shapes()) {
    for (const at::Tensor& delta : {random.normal(shape), falling(shape)}) {
      const int64_t rank = random.between(1, 12);
      const DenseReduction reduced = reduce_dense(delta, {.rank = rank});
      ASSERT_TRUE(reduced.layer);
      EXPECT_LE(reduced.layer->rank(), rank);
      EXPECT_EQ(reduced.layer->delta_shape(), shape);
      const double best = best_error(delta, rank), whole = size_of(delta);
      // 1e-4 of the best error, and what float32 rounds of the whole.
      EXPECT_NEAR(distance(exact_delta(*reduced.layer), delta), best, 1e-4 * best + 2e-6 * whole);
      EXPECT_NEAR(reduced.relative_error(), best / whole, 1e-4 * best / whole + 1e-6);
    }
  }
}

TEST_P(DenseReductionLaws, AnEnergyAndAnErrorKeepTheFewestValues) {
  for (const auto& shape : shapes()) {
    const at::Tensor delta = falling(shape);
    const double whole = size_of(delta);
    const int64_t by_energy = reduce_dense(delta, {.energy = 0.9}).layer->rank();
    EXPECT_LE(std::pow(best_error(delta, by_energy) / whole, 2), 0.1 + 1e-9);
    EXPECT_GT(std::pow(best_error(delta, by_energy - 1) / whole, 2), 0.1 - 1e-9);
    const int64_t by_error = reduce_dense(delta, {.error = 0.05}).layer->rank();
    EXPECT_LE(best_error(delta, by_error) / whole, 0.05 + 1e-9);
    EXPECT_GT(best_error(delta, by_error - 1) / whole, 0.05 - 1e-9);
  }
}

TEST_P(DenseReductionLaws, FindsTheTrueRank) {
  for (const auto& shape : shapes()) {
    const LoraLayer layer = random.layer(shape);
    const at::Tensor delta = exact_delta(layer);
    const DenseReduction reduced = reduce_dense(delta, {.rank = 1000});
    const int64_t smaller_side = std::min(delta.size(0), delta.flatten(1).size(1));
    EXPECT_EQ(reduced.layer->rank(), std::min(layer.rank(), smaller_side));
    EXPECT_LE(distance(reduced.layer->delta(), delta), 1e-6 * size_of(delta));
    EXPECT_LT(reduced.relative_error(), 1e-6);
  }
}

TEST(DenseReduction, OfZeroIsNoLayer) {
  const DenseReduction reduced = reduce_dense(at::zeros({4, 6}), {.rank = 2});
  EXPECT_FALSE(reduced.layer);
  EXPECT_EQ(reduced.relative_error(), 0);
}

constexpr const char* kLinear = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
constexpr const char* kConv = "down_blocks.0.resnets.0.conv1";
constexpr const char* kText = "text_encoder.text_model.encoder.layers.0.mlp.fc1";

/// A base, what a training made of it, and its layers.
class LoraExtractionTest : public ::testing::Test {
 protected:
  LoraExtractionTest() {
    for (const auto& [name, shape] : std::map<std::string, std::vector<int64_t>>{
             {kLinear, {24, 16}}, {kConv, {12, 10, 3, 3}}, {"mid_block.attentions.0.proj_in", {16, 16, 1, 1}}}) {
      targets.push_back({name, shape});
      base[name + ".weight"] = random.normal(shape);
      tuned[name + ".weight"] = base[name + ".weight"].clone();
    }
    base["conv_norm_out.weight"] = random.normal({8});
    tuned["conv_norm_out.weight"] = base["conv_norm_out.weight"].clone();
  }

  void train(const std::string& layer, const LoraLayer& change) { tuned[layer + ".weight"] += change.delta(); }
  Result<LoraExtraction> extracted(const ExtractionLimits& limits) {
    return extract(tuned, base, LoraPart::unet, targets, limits);
  }

  RandomLoras random{1};
  WeightMap tuned, base;
  std::vector<LoraTarget> targets;
};

TEST_F(LoraExtractionTest, FindsTheLoraThatWasFused) {
  Lora lora;
  lora.layers[kLinear] = random.layer({24, 16});
  lora.layers[kConv] = random.layer({12, 10, 3, 3});
  for (const auto& [name, layer] : lora.layers) train(name, layer);
  const LoraExtraction extraction = *extracted({.layers = {.rank = 9}});
  EXPECT_THAT(extraction.equal, ::testing::ElementsAre("mid_block.attentions.0.proj_in"));
  EXPECT_THAT(extraction.left_out, ::testing::IsEmpty());
  EXPECT_EQ(extraction.lora.layers.size(), 2U);
  EXPECT_LT(extraction.relative_error, 1e-5);
  for (const auto& [name, layer] : lora.layers)
    EXPECT_LE(distance(extraction.lora.layers.at(name).delta(), exact_delta(layer)), 1e-5 * size_of(layer.delta()))
        << name;
}

TEST_F(LoraExtractionTest, TellsTheRestOfEachLayerAndWhatNoLayerHolds) {
  const at::Tensor linear = random.normal({24, 16}), conv = random.normal({12, 10, 3, 3});
  tuned[std::string(kLinear) + ".weight"] += linear;
  tuned[std::string(kConv) + ".weight"] += conv;
  tuned["conv_norm_out.weight"] += 2;
  const LoraExtraction extraction = *extracted({.layers = {.rank = 3}, .convolutions = RankLimit{.rank = 5}});
  EXPECT_EQ(extraction.lora.layers.at(kLinear).rank(), 3);
  EXPECT_EQ(extraction.lora.layers.at(kConv).rank(), 5);
  const double rest_linear = best_error(linear, 3), rest_conv = best_error(conv, 5);
  EXPECT_NEAR(extraction.layer_relative_error.at(kLinear), rest_linear / size_of(linear), 1e-5);
  EXPECT_NEAR(extraction.layer_relative_error.at(kConv), rest_conv / size_of(conv), 1e-5);
  EXPECT_NEAR(extraction.relative_error,
              std::hypot(rest_linear, rest_conv) / std::hypot(size_of(linear), size_of(conv)), 1e-5);
  ASSERT_EQ(extraction.left_out.size(), 1U);
  EXPECT_NEAR(extraction.left_out.at("conv_norm_out.weight"), 2 * std::sqrt(8), 1e-5);
}

TEST_F(LoraExtractionTest, FindsTextEncodersWeightsWithAndWithoutTextModel) {
  const WeightMap before = {{"text_model.encoder.layers.0.mlp.fc1.weight", at::zeros({6, 5})}};
  const LoraLayer change = random.layer({6, 5});
  const WeightMap after = {{"encoder.layers.0.mlp.fc1.weight", change.delta()}};
  const std::vector<LoraTarget> layers = {{kText, {6, 5}}, targets.front()};
  const LoraExtraction extraction = *extract(after, before, LoraPart::text_encoder, layers, {.layers = {.rank = 9}});
  EXPECT_LE(distance(extraction.lora.layers.at(kText).delta(), exact_delta(change)), 1e-5 * size_of(change.delta()));
}

TEST_F(LoraExtractionTest, RefusesModelsThatDoNotFitAndWeightsThatAreNoNumbers) {
  const ExtractionLimits limits = {.layers = {.rank = 4}};
  const std::string layer = kConv, weight = layer + ".weight";
  EXPECT_EQ(extracted({.layers = {}}).error().message, "a reduction needs a rank, an energy or an error");
  EXPECT_EQ(extracted({.layers = {.rank = 4}, .convolutions = RankLimit{.rank = 0}}).error().message,
            "rank 0 is out of range: give at least 1");
  tuned[weight][0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(extracted(limits).error().message,
            "LoRA layer '" + layer + "': the difference of the two models holds NaN or infinite numbers");
  tuned[weight] = at::zeros({12, 10, 1, 1});
  EXPECT_EQ(extracted(limits).error().message, "LoRA layer '" + layer +
                                                   "': the tuned model's weight has shape [12, 10, 1, 1], the base "
                                                   "model's [12, 10, 3, 3]");
  tuned.erase(weight);
  EXPECT_EQ(extracted(limits).error().message, "LoRA layer '" + layer + "': the tuned model has no such layer");
  tuned[weight] = base[weight];
  base.erase(weight);
  EXPECT_EQ(extracted(limits).error().message, "LoRA layer '" + layer + "': the base model has no such layer");
}

}  // namespace
}  // namespace atelier::diffusion
