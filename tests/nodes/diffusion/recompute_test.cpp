#include "diffusion/recompute.h"

#include <gtest/gtest.h>

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "diffusion/initial_weights.h"
#include "diffusion/unet_blocks.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

BlockSpec small_block() {
  BlockSpec spec;
  spec.name = "down_blocks.0";
  spec.resnets = {{8, 16}, {16, 16}};
  spec.attention = TransformerSpec{
      .channels = 16, .heads = 2, .layers = 2, .context_channels = 12, .norm_groups = 4, .linear_projection = true};
  spec.norm = {4, 1e-5};
  spec.time_channels = 20;
  spec.resample = true;
  return spec;
}

/// A block on the way down, what it is given, and every tensor whose gradient is compared.
struct BlockFixture {
  explicit BlockFixture(int64_t tenants, bool weights_learn) {
    std::vector<LoraTarget> targets;
    WeightReader blank = WeightReader::blank();
    take_down_block(blank, small_block(), targets);
    WeightMap weights = initial_weights(blank.asked(), 3);
    if (weights_learn)
      for (auto& [name, weight] : weights) leaves.push_back(weight.requires_grad_(true));
    targets.clear();
    WeightReader reader(weights, "random weights");
    block = take_down_block(reader, small_block(), targets);
    Adapters::LayerMap layers;
    for (const LoraTarget& target : targets) {
      if (!is_lora_target(target.name)) continue;
      const int64_t out = target.weight_shape[0], in = target.weight_shape[1];
      layers[target.name] = {.a = random.normal({tenants, 3, in}) * 0.3,
                             .b = random.normal({tenants, out, 3}) * 0.3,
                             .scale = at::full({tenants}, 0.5)};
      for (const at::Tensor& factor : {layers[target.name].a, layers[target.name].b})
        leaves.push_back(factor.requires_grad_(true));
    }
    adapters = Adapters(std::move(layers), {1, 0});
    for (const at::Tensor& input : {x, time, context}) leaves.push_back(input.requires_grad_(true));
  }

  /// The block's output and the gradients of all leaves.
  std::vector<at::Tensor> run(bool recompute) const {
    std::vector<at::Tensor> skips;
    const at::Tensor y = block.down(x, {adapters, time, context, recompute}, skips);
    at::Tensor total = (y * y).sum();
    for (const at::Tensor& skip : skips) total = total + (skip * skip).sum();
    std::vector<at::Tensor> found = torch::autograd::grad({total}, leaves);
    found.push_back(y.detach());
    return found;
  }

  RandomLoras random{8};
  at::Tensor x = random.normal({2, 8, 6, 6}), time = random.normal({2, 20}), context = random.normal({2, 5, 12});
  UNetBlock block;
  Adapters adapters;
  std::vector<at::Tensor> leaves;
};

class Recompute : public ::testing::TestWithParam<std::tuple<int64_t, bool>> {};

INSTANTIATE_TEST_SUITE_P(TenantsAndLearning, Recompute, ::testing::Combine(::testing::Values(1, 2), ::testing::Bool()));

TEST_P(Recompute, GivesTheBitsOfThePlainPass) {
  const BlockFixture fixture(std::get<0>(GetParam()), std::get<1>(GetParam()));
  const std::vector<at::Tensor> plain = fixture.run(false), again = fixture.run(true);
  ASSERT_EQ(plain.size(), again.size());
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_TRUE(at::equal(plain[i], again[i])) << i;
    EXPECT_GT(plain[i].abs().sum().item<double>(), 0) << i;
  }
}

TEST(Recompute, KeepsOnlyTheInputsOfABlock) {
  int runs = 0;
  const at::Tensor x = at::ones({2}).requires_grad_(true);
  const Adapters none;
  const at::Tensor y = run_block("block", x, {none, {}, {}, true}, {}, [&](const at::Tensor& in, const Conditioning&) {
    ++runs;
    return in.exp().sin();
  });
  EXPECT_EQ(runs, 1);
  y.sum().backward();
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(at::allclose(x.grad(), at::ones({2}).exp().cos() * at::ones({2}).exp()));
}

}  // namespace
}  // namespace atelier::diffusion
