#include "diffusion/training_start.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

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

TEST(UNetStart, LooksAtWordsMoreSharply) {
  const auto drawn = at::randn({4, 4});
  WeightMap weights{{"mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight", drawn.clone()},
                    {"mid_block.attentions.0.transformer_blocks.0.attn2.to_q.weight", drawn.clone()},
                    {"mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", drawn.clone()},
                    {"mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight", drawn.clone()}};
  start_at_zero(weights);
  for (const auto& [name, weight] : weights) {
    const bool sharper = name.ends_with("attn2.to_q.weight") || name.ends_with("attn2.to_k.weight");
    EXPECT_TRUE(at::equal(weight, sharper ? drawn * 2 : drawn)) << name;
  }
}

struct TextStart : ::testing::Test {
  static constexpr int64_t kWidth = 64, kHeads = 4, kPlaces = 20, kInner = 96, kEnd = 49;
  const std::string layer = "text_model.encoder.layers.0.", last = "text_model.encoder.layers.1.";
  WeightMap weights;

  TextStart() {
    at::manual_seed(3);
    weights["text_model.embeddings.token_embedding.weight"] = at::randn({50, kWidth}) * 0.02;
    weights["text_model.embeddings.position_embedding.weight"] = at::randn({kPlaces, kWidth}) * 0.02;
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
      weights[layer + "self_attn." + name + ".weight"] = at::randn({kWidth, kWidth}) / 14.0;
    weights[layer + "mlp.fc1.weight"] = at::randn({kInner, kWidth}) / 14.0;
    weights[layer + "mlp.fc2.weight"] = at::randn({kWidth, kInner}) / 17.0;
    for (const auto& [name, weight] : WeightMap(weights))
      if (name.starts_with(layer)) weights[last + name.substr(layer.size())] = weight.clone();
    start_by_neighbours(weights, {.hidden_size = kWidth, .layers = 2, .heads = kHeads, .eos_id = kEnd});
  }

  /// What the first layer's attention adds to each place, [T, width]; its norm has weights of 1.
  at::Tensor attended(const at::Tensor& ids) {
    const int64_t n = ids.size(0), d = kWidth / kHeads;
    const at::Tensor x = at::layer_norm(embedded(ids), {kWidth});
    const auto heads_of = [&](const char* name) {
      return at::linear(x, weights.at(layer + "self_attn." + name + ".weight")).view({n, kHeads, d}).transpose(0, 1);
    };
    const at::Tensor later = at::ones({n, n}, at::kBool).triu(1);
    probabilities = (heads_of("q_proj").matmul(heads_of("k_proj").transpose(1, 2)) / std::sqrt(static_cast<double>(d)))
                        .masked_fill(later, -1e9)
                        .softmax(-1);
    const at::Tensor mixed = probabilities.matmul(heads_of("v_proj")).transpose(0, 1).reshape({n, kWidth});
    return at::linear(mixed, weights.at(layer + "self_attn.out_proj.weight"));
  }

  at::Tensor embedded(const at::Tensor& ids) {
    return weights.at("text_model.embeddings.token_embedding.weight").index_select(0, ids) +
           weights.at("text_model.embeddings.position_embedding.weight").narrow(0, 0, ids.size(0));
  }

  at::Tensor probabilities;  // [heads, T, T]
};

TEST_F(TextStart, EachHeadFindsTheWordSoManyPlacesBack) {
  attended(at::randint(kEnd, {kPlaces}, at::kLong));
  for (int64_t head = 0; head < kHeads; ++head)
    for (int64_t place = head + 1; place < kPlaces; ++place)
      EXPECT_GT(probabilities[head][place][place - head - 1].item<double>(), 0.9) << head << " at " << place;
}

TEST_F(TextStart, SaysNothingWithPadding) {
  EXPECT_EQ(weights.at("text_model.embeddings.token_embedding.weight")[kEnd].abs().max().item<double>(), 0);
  const auto padded = [&](int64_t first) {
    return attended(at::cat({at::arange(first, first + 6, at::kLong), at::full({kPlaces - 6}, kEnd, at::kLong)}));
  };
  const at::Tensor difference = (padded(0) - padded(6)).abs().mean(1);  // [T]
  EXPECT_GT(difference.narrow(0, 1, 5).min().item<double>(), 0.3);
  EXPECT_LT(difference.narrow(0, 6 + kHeads, kPlaces - 6 - kHeads).max().item<double>(), 0.05);
}

TEST_F(TextStart, GathersAllWordsAlikeInTheLastLayer) {
  for (const char* name : {"q_proj", "k_proj"})
    EXPECT_EQ(weights.at(last + "self_attn." + name + ".weight").abs().max().item<double>(), 0) << name;
  EXPECT_GT(weights.at(last + "self_attn.out_proj.weight").std().item<double>(),
            3 * weights.at(layer + "self_attn.out_proj.weight").std().item<double>());
}

TEST_F(TextStart, AddsWordsOnlyAndLeavesPlacesAsTheyAre) {
  const at::Tensor ids = at::arange(kPlaces, at::kLong), added = attended(ids);
  constexpr int64_t kPlaceNumbers = kWidth / kHeads;
  EXPECT_EQ(added.narrow(1, 0, kPlaceNumbers).abs().max().item<double>(), 0);
  EXPECT_GT(added.narrow(1, kPlaceNumbers, kWidth - kPlaceNumbers).abs().mean().item<double>(), 0.1);
  // The same word at another place, behind the same four words, gets the same.
  const at::Tensor again = attended(at::arange(kPlaces, at::kLong).remainder(8));
  EXPECT_LT((again[7] - again[15]).abs().max().item<double>(), 0.2);
  EXPECT_GT((again[7] - again[14]).abs().max().item<double>(), 0.5);
}

}  // namespace
}  // namespace atelier::diffusion
