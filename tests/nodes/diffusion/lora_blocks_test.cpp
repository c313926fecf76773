#include "diffusion/lora_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "diffusion/lora_algebra.h"
#include "diffusion/lora_fuse.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

constexpr const char* kConvIn = "conv_in";
constexpr const char* kTime = "time_embedding.linear_1";
constexpr const char* kDown1 = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
constexpr const char* kDown10 = "down_blocks.10.resnets.0.conv1";
constexpr const char* kMid = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k";
constexpr const char* kMidResnet = "mid_block.resnets.0.conv1";
constexpr const char* kUp2 = "up_blocks.2.attentions.1.transformer_blocks.0.attn2.to_q";
constexpr const char* kConvOut = "conv_out";
constexpr const char* kText = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj";
constexpr const char* kText2 = "text_encoder_2.text_model.encoder.layers.0.mlp.fc1";

std::vector<double> weights_of(std::string_view text, std::vector<std::string_view> layers) {
  const BlockWeights weights = BlockWeights::parse(text).value();
  std::vector<double> values;
  for (const std::string_view layer : layers) values.push_back(weights.of(layer));
  return values;
}

std::string error_of(std::string_view text) { return BlockWeights::parse(text).error().message; }

using ::testing::ElementsAre;

TEST(BlockWeights, DivideTheUNetBeforeInAndBehindItsMiddle) {
  EXPECT_THAT(weights_of("in=0,mid=0.25,out=0.5", {kConvIn, kTime, kDown1, kMid, kUp2, kConvOut, kText, kText2}),
              ElementsAre(0, 0, 0, 0.25, 0.5, 0.5, 1, 1));
}

TEST(BlockWeights, KnowTheTextEncodersTogetherAndApart) {
  EXPECT_THAT(weights_of("te=0.5", {kText, kText2, kDown1}), ElementsAre(0.5, 0.5, 1));
  EXPECT_THAT(weights_of("te1=0.5", {kText, kText2}), ElementsAre(0.5, 1));
  EXPECT_THAT(weights_of("te2=0.5", {kText, kText2}), ElementsAre(1, 0.5));
}

TEST(BlockWeights, KnowSingleBlocksInBothNumberings) {
  EXPECT_THAT(weights_of("down_blocks.1=0.5", {kDown1, kDown10, kUp2}), ElementsAre(0.5, 1, 1));
  EXPECT_THAT(weights_of("mid_block.attentions=0", {kMid, kMidResnet}), ElementsAre(0, 1));
  EXPECT_THAT(weights_of("input_blocks.4=0.5", {kDown1, kConvIn}), ElementsAre(0.5, 1));
  EXPECT_THAT(weights_of("input_blocks.0=0.5", {kDown1, kConvIn}), ElementsAre(1, 0.5));
  EXPECT_THAT(weights_of("middle_block.1=0", {kMid, kMidResnet}), ElementsAre(0, 1));
  EXPECT_THAT(weights_of("output_blocks.7=0.5,output_blocks.8=0.25", {kUp2}), ElementsAre(0.5));
}

TEST(BlockWeights, KnowLayersByPatterns) {
  EXPECT_THAT(weights_of("attn2.to_k=0", {kMid, kUp2}), ElementsAre(0, 1));
  EXPECT_THAT(weights_of("*attn2*=0", {kMid, kUp2, kDown1}), ElementsAre(0, 0, 1));
  EXPECT_THAT(weights_of("/.*attn[12]{1,1}.to_q/=0.5,te=0", {kMid, kUp2, kText}), ElementsAre(1, 0.5, 0));
  EXPECT_THAT(weights_of("/(?=up).*/=0.5", {kMid, kUp2}), ElementsAre(1, 0.5));
}

TEST(BlockWeights, TheLastEntryThatMeansALayerCounts) {
  EXPECT_THAT(weights_of("out=0.5,up_blocks.2=0.25", {kUp2, kConvOut}), ElementsAre(0.25, 0.5));
  EXPECT_THAT(weights_of("up_blocks.2=0.25,out=0.5", {kUp2, kConvOut}), ElementsAre(0.5, 0.5));
}

TEST(BlockWeights, AllowSpaces) {
  EXPECT_THAT(weights_of(" in = 0 , mid = 1e-1 ", {kDown1, kMid}), ElementsAre(0, 0.1));
}

TEST(BlockWeights, RefuseWhatTheyCannotRead) {
  const std::string form = "write block=weight, such as in=0,mid=1,out=0.5";
  EXPECT_EQ(error_of(""), "block weight '': " + form);
  EXPECT_EQ(error_of("in"), "block weight 'in': " + form);
  EXPECT_EQ(error_of("in=0,"), "block weight '': " + form);
  EXPECT_EQ(error_of("=1"), "block weight '=1': " + form);
  EXPECT_EQ(error_of("in="), "block weight 'in=': '' is no number");
  EXPECT_EQ(error_of("in=0.5x"), "block weight 'in=0.5x': '0.5x' is no number");
  EXPECT_EQ(error_of("in=nan"), "block weight 'in=nan': 'nan' is no number");
  EXPECT_EQ(error_of("in=inf"), "block weight 'in=inf': 'inf' is no number");
  EXPECT_EQ(error_of("in=-1"), "block weight 'in=-1': -1 is out of range, weights of blocks go from 0 to 10");
  EXPECT_EQ(error_of("in=10.5"), "block weight 'in=10.5': 10.5 is out of range, weights of blocks go from 0 to 10");
  EXPECT_EQ(error_of("in=1,in=2"), "block weight 'in=2': 'in' has a weight already");
  EXPECT_EQ(error_of("!to_q=1"), "block weight '!to_q=1': a pattern with ! means no layers; give those that it leaves");
  EXPECT_THAT(error_of("/(/=1"),
              ::testing::StartsWith("block weight '/(/=1': pattern '/(/' is no regular expression: "));
}

TEST(BlockWeights, TellAnEntryThatMeansNoLayer) {
  Lora lora;
  lora.layers[kDown1] = RandomLoras(1).layer({4, 4});
  const auto check = [&](std::string_view text) { return BlockWeights::parse(text)->check_used_by(lora); };
  EXPECT_TRUE(check("in=0,mid=0,te2=0,to_q=1,down_blocks.1=1"));
  EXPECT_EQ(
      check("middle=0.5").error().message,
      "block weight 'middle=0.5': the LoRA has no such layer; its layers are such as '" + std::string(kDown1) + "'");
  EXPECT_EQ(check("output_blocks.30=0").error().message,
            "block weight 'output_blocks.30=0': the LoRA has no such layer; its layers are such as '" +
                std::string(kDown1) + "'");
}

/// The laws hold for random ranks, alphas and shapes; the parameter is the seed.
class BlockWeightLaws : public ::testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, BlockWeightLaws, ::testing::Range<uint64_t>(0, 10));

TEST_P(BlockWeightLaws, ASumWeighsEachLayerByItsBlock) {
  RandomLoras random(GetParam());
  const Lora a = random.lora(), b = random.lora();
  const BlockWeights blocks = *BlockWeights::parse("down_blocks.0=0,down_blocks.1=0.5");
  const Lora sum = *weighted_sum(std::vector<WeightedLora>{{&a, 0.8, blocks}, {&b, -2}});
  for (const auto& [name, layer] : sum.layers) {
    const double share = name.starts_with("down_blocks.0") ? 0 : name.starts_with("down_blocks.1") ? 0.5 : 1;
    const at::Tensor of_a = exact_delta(a.layers.at(name)) * (0.8 * share), of_b = exact_delta(b.layers.at(name)) * -2;
    EXPECT_LE(distance(layer.delta(), of_a + of_b), 1e-6 * (of_a.norm().item<double>() + of_b.norm().item<double>()))
        << name;
    if (share == 0) {
      EXPECT_EQ(layer.rank(), b.layers.at(name).rank()) << name;  // weight 0 costs no rank
    }
  }
}

TEST(BlockWeights, CountInAFusion) {
  RandomLoras random(3);
  Lora lora;
  lora.layers[kConvIn] = random.layer({4, 4});
  lora.layers[kConvOut] = random.layer({4, 4});
  const at::Tensor in = at::zeros({4, 4}), out = at::zeros({4, 4});
  const WeightMap base = {{"conv_in.weight", in}, {"conv_out.weight", out}};
  const std::vector<WeightedLora> terms = {{&lora, 0.5, *BlockWeights::parse("in=0,out=0.5")}};
  const WeightMap fused = *fuse(base, LoraPart::unet, terms);
  EXPECT_TRUE(fused.at("conv_in.weight").is_same(in));
  EXPECT_LT(distance(fused.at("conv_out.weight"), exact_delta(lora.layers[kConvOut]) * 0.25), 1e-5);
}

}  // namespace
}  // namespace atelier::diffusion
