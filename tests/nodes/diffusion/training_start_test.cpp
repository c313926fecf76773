#include "diffusion/training_start.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace atelier::diffusion {
namespace {

struct VaeStart : ::testing::Test {
  WeightMap weights{{"encoder.down_blocks.0.downsamplers.0.conv.weight", at::randn({6, 6, 3, 3})},
                    {"encoder.down_blocks.0.downsamplers.0.conv.bias", at::randn({6})},
                    {"encoder.down_blocks.1.resnets.0.conv_shortcut.weight", at::randn({9, 6, 1, 1})},
                    {"encoder.down_blocks.1.resnets.0.conv_shortcut.bias", at::randn({9})},
                    {"encoder.down_blocks.1.resnets.0.conv1.weight", at::randn({9, 6, 3, 3})},
                    {"encoder.down_blocks.1.resnets.0.conv2.weight", at::randn({9, 9, 3, 3})},
                    {"encoder.mid_block.attentions.0.to_out.0.weight", at::randn({9, 9})},
                    {"decoder.up_blocks.0.upsamplers.0.conv.weight", at::randn({6, 6, 3, 3})},
                    {"decoder.up_blocks.0.upsamplers.0.conv.bias", at::randn({6})},
                    {"quant_conv.weight", at::randn({8, 8, 1, 1})},
                    {"quant_conv.bias", at::randn({8})}};
  at::Tensor x = at::randn({2, 6, 8, 8});

  at::Tensor convolved(const at::Tensor& input, const std::string& name, int64_t stride, int64_t padding) {
    return at::conv2d(input, weights.at(name + ".weight"), weights.at(name + ".bias"), stride, padding);
  }
};

TEST_F(VaeStart, ShrinksByAveragingAndEnlargesByRepeating) {
  start_by_averaging(weights);
  const auto small = convolved(at::constant_pad_nd(x, {0, 1, 0, 1}), "encoder.down_blocks.0.downsamplers.0.conv", 2, 0);
  EXPECT_TRUE(at::allclose(small, at::avg_pool2d(x, 2), 1e-5, 1e-6));
  EXPECT_TRUE(at::equal(convolved(x, "decoder.up_blocks.0.upsamplers.0.conv", 1, 1), x));
}

TEST_F(VaeStart, HandsChannelsOnInTurnWhereThereAreMoreOfThem) {
  start_by_averaging(weights);
  const auto wider = convolved(x, "encoder.down_blocks.1.resnets.0.conv_shortcut", 1, 0);
  EXPECT_TRUE(at::equal(wider, at::cat({x, x.narrow(1, 0, 3)}, 1)));
}

TEST_F(VaeStart, AddsNothingInResidualBranchesButLeavesWhatComesBeforeRandom) {
  const auto before = weights.at("encoder.down_blocks.1.resnets.0.conv1.weight").clone();
  start_by_averaging(weights);
  EXPECT_EQ(weights.at("encoder.down_blocks.1.resnets.0.conv2.weight").count_nonzero().item<int64_t>(), 0);
  EXPECT_EQ(weights.at("encoder.mid_block.attentions.0.to_out.0.weight").count_nonzero().item<int64_t>(), 0);
  EXPECT_TRUE(at::equal(weights.at("encoder.down_blocks.1.resnets.0.conv1.weight"), before));
}

TEST_F(VaeStart, HasOneDeviationOfThePosteriorEverywhere) {
  const auto mean = weights.at("quant_conv.weight").narrow(0, 0, 4).clone();
  start_by_averaging(weights);
  EXPECT_TRUE(at::equal(weights.at("quant_conv.weight").narrow(0, 0, 4), mean));
  EXPECT_EQ(weights.at("quant_conv.weight").narrow(0, 4, 4).count_nonzero().item<int64_t>(), 0);
  EXPECT_TRUE(at::equal(weights.at("quant_conv.bias").narrow(0, 4, 4), at::full({4}, -6.0f)));
}

TEST(UNetStart, PredictsNothing) {
  WeightMap weights{{"down_blocks.0.resnets.0.conv1.weight", at::randn({4, 4, 3, 3})},
                    {"down_blocks.0.resnets.0.conv2.weight", at::randn({4, 4, 3, 3})},
                    {"mid_block.attentions.0.proj_out.bias", at::randn({4})},
                    {"conv_out.weight", at::randn({4, 4, 3, 3})}};
  start_at_zero(weights);
  for (const auto& [name, weight] : weights)
    EXPECT_EQ(weight.count_nonzero().item<int64_t>() == 0, !name.ends_with("conv1.weight")) << name;
}

}  // namespace
}  // namespace atelier::diffusion
