#include "model/merge_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace atelier {
namespace {

using testing::Each;

std::vector<float> drawn(std::int64_t seed, const std::string& layer, std::size_t lora, std::size_t count = 1000) {
  std::vector<float> values(count, -1);
  drop_source(seed)(layer, lora, values);
  return values;
}

TEST(DropSource, DependsOnTheSeedTheLayerAndTheLorasPlaceAlone) {
  const auto first = drawn(1, "mid_block.to_q", 0);
  EXPECT_EQ(drawn(1, "mid_block.to_q", 0), first);
  EXPECT_NE(drawn(2, "mid_block.to_q", 0), first);
  EXPECT_NE(drawn(1, "mid_block.to_k", 0), first);
  EXPECT_NE(drawn(1, "mid_block.to_q", 1), first);
}

TEST(DropSource, IsUniformBelowOne) {
  const auto values = drawn(3, "conv_in", 2, 100'000);
  EXPECT_THAT(values, Each(testing::AllOf(testing::Ge(0.0F), testing::Lt(1.0F))));
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  EXPECT_NEAR(mean, 0.5, 5 * 0.2887 / std::sqrt(static_cast<double>(values.size())));  // the deviation of the mean
}

TEST(MergeMethod, IsTheOneThatTheRuleNames) {
  const auto ties = merge_method_of({.method = "ties", .density = 0.3, .seed = 0, .blocks = {}});
  ASSERT_TRUE(ties);
  EXPECT_EQ(std::get<diffusion::Ties>(*ties).density, 0.3);
  const auto dare = merge_method_of({.method = "dare", .density = 0.7, .seed = 5, .blocks = {}});
  ASSERT_TRUE(dare);
  EXPECT_EQ(std::get<diffusion::Dare>(*dare).density, 0.7);
  std::vector<float> values(10);
  std::get<diffusion::Dare>(*dare).uniform("conv_in", 1, values);
  EXPECT_EQ(values, drawn(5, "conv_in", 1, 10));
  EXPECT_FALSE(merge_method_of({.method = "slerp", .density = 1, .seed = 0, .blocks = {}}));
}

TEST(BlocksOfLoras, AreThoseOfAMergesRuleAndElseOneEach) {
  Model model;
  model.loras = {{LoraSet{}, 0.6}, {LoraSet{}, 0.9}};
  const auto of_sum = blocks_of_loras(model).value();
  ASSERT_EQ(of_sum.size(), 2u);
  EXPECT_EQ(of_sum[1].of("mid_block.conv"), 1);
  model.merge = MergeRule{.method = "ties", .density = 0.5, .seed = 0, .blocks = {"", "mid=0.25"}};
  const auto blocks = blocks_of_loras(model).value();
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].of("mid_block.conv"), 1);
  EXPECT_EQ(blocks[1].of("mid_block.conv"), 0.25);
}

TEST(BlockWeightsOfText, AreOneEachWhereItIsEmptyAndElseAsTheLibraryReadsThem) {
  EXPECT_EQ(block_weights_of("")->of("mid_block.conv"), 1);
  EXPECT_EQ(block_weights_of("mid=0.5")->of("mid_block.conv"), 0.5);
  EXPECT_EQ(block_weights_of("mid").error().message,
            "block weight 'mid': write block=weight, such as in=0,mid=1,out=0.5");
}

}  // namespace
}  // namespace atelier
