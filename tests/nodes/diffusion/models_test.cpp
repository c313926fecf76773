// Layers, text encoder and VAE where no golden is needed: laws and refusals.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include <cmath>

#include "diffusion/clip_text.h"
#include "diffusion/layers.h"
#include "diffusion/vae.h"
#include "golden_unet.h"
#include "goldens.h"

namespace atelier::diffusion {
namespace {

using test::near;

TEST(Attention, IsSoftmaxOfScaledProducts) {
  const auto q = at::randn({2, 5, 8}), k = at::randn({2, 7, 8}), v = at::randn({2, 7, 8});
  const auto out = attention(q, k, v, 2);
  for (int64_t h = 0; h < 2; ++h) {
    const auto part = [&](const at::Tensor& x) { return x.narrow(2, 4 * h, 4); };
    const auto weights = at::softmax(at::matmul(part(q), part(k).transpose(1, 2)) / 2.0, -1);
    EXPECT_TRUE(near(part(out), at::matmul(weights, part(v)), 1e-6));
  }
}

TEST(Attention, GivesTheSameInSlicesAsAtOnce) {
  // 9,000 x 9,000 scores are more than one slice holds.
  const auto q = at::randn({1, 9000, 4}), k = at::randn({1, 9000, 4}), v = at::randn({1, 9000, 4});
  const at::NoGradGuard no_grad;
  const auto whole = attention(q, k, v, 1);
  const auto rows = attention(q.narrow(1, 8990, 10), k, v, 1);
  EXPECT_TRUE(near(whole.narrow(1, 8990, 10), rows, 1e-6));
}

TEST(WeightReader, TakesTheMappingItselfWhereItSuitsAndConvertsOnceElsewhere) {
  const auto single = at::ones({2}), half = at::ones({2}, at::kHalf);
  WeightReader reader({{"single", single}, {"half", half}}, "x");
  EXPECT_EQ(reader.take("single", {2}).data_ptr(), single.data_ptr());
  EXPECT_EQ(reader.take("half", {2}).scalar_type(), at::kFloat);
}

TEST(WeightReader, NamesTheFirstFiveThatAreMissingAndHowManyThereAre) {
  WeightReader reader({{"left", at::ones({1})}, {"buffer", at::ones({1})}}, "unet.safetensors");
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"})
    EXPECT_TRUE(reader.take(name, {1}).equal(at::zeros({1})));
  reader.ignore("buffer");
  EXPECT_EQ(reader.check().error().message, "unet.safetensors: 7 weights are missing: a, b, c, d, e and 2 more");
  EXPECT_THAT(reader.unknown(), testing::ElementsAre("left"));
}

TEST(WeightReader, FindsAWeightUnderAnOldNameAndShape) {
  WeightReader reader({{"old", at::arange(4).to(at::kFloat).view({2, 2, 1, 1})}}, "x");
  EXPECT_EQ(shape_text(reader.take_reshaped({"new", "old"}, {2, 2}).sizes()), "[2, 2]");
  EXPECT_TRUE(reader.check());
  EXPECT_THAT(reader.unknown(), testing::IsEmpty());
}

TEST(WeightReader, TellsWhatAModelAsksFor) {
  WeightReader blank = WeightReader::blank();
  take_resnet(blank, "r", {4, 8}, {2, 1e-5});
  EXPECT_TRUE(blank.check());
  EXPECT_EQ(blank.asked().size(), 10u);
  EXPECT_EQ(blank.asked().at("r.conv_shortcut.weight"), (std::vector<int64_t>{8, 4, 1, 1}));
}

TEST(ClipTextModel, RefusesIdsItCannotTake) {
  WeightReader blank = WeightReader::blank();
  const auto text = must(ClipTextModel::create({.vocab_size = 10,
                                                .hidden_size = 4,
                                                .intermediate_size = 8,
                                                .layers = 1,
                                                .heads = 2,
                                                .max_positions = 5,
                                                .eos_id = 9},
                                               blank));
  const auto error = [&](const at::Tensor& ids) { return text->encode(ids).error().message; };
  EXPECT_EQ(error(at::zeros({1, 6}, at::kLong)), "text ids are [1, 6] Long, expected [N, T] int64 with T from 1 to 5");
  EXPECT_EQ(error(at::zeros({1, 5})), "text ids are [1, 5] Float, expected [N, T] int64 with T from 1 to 5");
  EXPECT_EQ(error(at::full({1, 5}, 10, at::kLong)), "text ids reach from 10 to 10, expected 0 to 9");
}

TEST(Vae, RefusesShapesItCannotTake) {
  WeightReader blank = WeightReader::blank();
  const auto vae = must(Vae::create({.block_out_channels = {8, 8, 8}, .layers_per_block = 1, .norm_groups = 4}, blank));
  EXPECT_EQ(vae->encode(at::zeros({1, 3, 30, 32})).error().message,
            "images are [1, 3, 30, 32], expected [N, 3, H, W] with H and W multiples of 4");
  EXPECT_EQ(vae->encode(at::zeros({3, 32, 32})).error().message,
            "images are [3, 32, 32], expected [N, 3, H, W] with H and W multiples of 4");
  EXPECT_EQ(vae->decode(at::zeros({1, 3, 8, 8})).error().message, "latents are [1, 3, 8, 8], expected [N, 4, h, w]");
}

TEST(Vae, KeepsTheLogarithmOfTheVarianceInBounds) {
  const auto vae_with = [](float bias) {
    WeightReader blank = WeightReader::blank();
    const VaeConfig config{.block_out_channels = {8, 8}, .layers_per_block = 1, .norm_groups = 4};
    must(Vae::create(config, blank));
    WeightMap weights;
    for (const auto& [name, shape] : blank.asked()) weights[name] = at::zeros(shape);
    weights["quant_conv.bias"] = at::full({8}, bias);
    WeightReader reader(weights, "vae");
    return must(must(Vae::create(config, reader))->encode(at::zeros({1, 3, 8, 8})));
  };
  EXPECT_EQ(vae_with(100).logvar.max().item<float>(), 20);
  EXPECT_EQ(vae_with(-100).logvar.max().item<float>(), -30);
  EXPECT_NEAR(vae_with(2).std().max().item<float>(), std::exp(1.0), 1e-5);
}

}  // namespace
}  // namespace atelier::diffusion
