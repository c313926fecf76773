// The small parts of a training: masked loss, learning rate, optimizer, initial LoRA.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "diffusion/adamw.h"
#include "diffusion/lora.h"
#include "diffusion/lr_schedule.h"
#include "diffusion/masked_loss.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

class MaskedLoss : public ::testing::TestWithParam<LossNormalize> {};
INSTANTIATE_TEST_SUITE_P(BothWays, MaskedLoss, ::testing::Values(LossNormalize::none, LossNormalize::mask));

TEST_P(MaskedLoss, HasAGradientOfExactlyZeroWhereTheMaskIsZero) {
  RandomLoras random(1);
  const at::Tensor prediction = random.normal({3, 4, 8, 8}).requires_grad_(true), target = random.normal({3, 4, 8, 8});
  at::Tensor mask = random.normal({3, 1, 8, 8}).clamp(0, 1);  // about half of it zero
  const at::Tensor loss = masked_loss(prediction, target, mask, GetParam()).sum();
  const at::Tensor gradient = torch::autograd::grad({loss}, {prediction})[0];
  const at::Tensor hidden = (mask == 0).expand_as(gradient);
  EXPECT_GT(hidden.sum().item<int64_t>(), 100);
  EXPECT_EQ(gradient.masked_select(hidden).count_nonzero().item<int64_t>(), 0);
  EXPECT_EQ(gradient.masked_select(~hidden).count_nonzero().item<int64_t>(), (~hidden).sum().item<int64_t>());
}

TEST_P(MaskedLoss, OfAnEmptyMaskIsZeroAndNotNan) {
  const at::Tensor loss =
      masked_loss(at::ones({1, 4, 8, 8}), at::zeros({1, 4, 8, 8}), at::zeros({1, 1, 8, 8}), GetParam());
  EXPECT_EQ(loss.item<float>(), 0);
}

TEST(MaskedLossScale, CountsAPixelTheSameWhateverElseIsMaskedUnlessNormalizedByTheMask) {
  const at::Tensor prediction = at::ones({1, 4, 8, 8}), target = at::zeros({1, 4, 8, 8});
  at::Tensor quarter = at::zeros({1, 1, 8, 8});
  quarter.slice(2, 0, 4).slice(3, 0, 4).fill_(1);
  EXPECT_FLOAT_EQ(masked_loss(prediction, target, quarter, LossNormalize::none).item<float>(), 0.25F);
  EXPECT_FLOAT_EQ(masked_loss(prediction, target, quarter, LossNormalize::mask).item<float>(), 1.0F);
}

TEST(MaskedLossScale, CapsTheWeightOfAMaskUnderOnePercent) {
  at::Tensor mask = at::zeros({1, 1, 40, 40});
  mask[0][0][0].slice(0, 0, 4).fill_(1);  // a quarter of a percent
  const at::Tensor loss = masked_loss(at::ones({1, 4, 40, 40}), at::zeros({1, 4, 40, 40}), mask, LossNormalize::mask);
  EXPECT_FLOAT_EQ(loss.item<float>(), 0.25F);
}

TEST(MaskOnGrid, IsResampledByAreaAndKeepsTheTransition) {
  at::Tensor mask = at::zeros({1, 1, 16, 16});
  mask.slice(3, 0, 12).fill_(1);
  EXPECT_TRUE(at::equal(mask_on_grid(mask, 1, 2).flatten(), at::tensor({1.0F, 0.5F})));
}

TEST(LearningRate, FollowsTheSchedulesOfDiffusers) {
  const LrSchedule cosine{.curve = LrCurve::cosine, .peak = 2, .warmup_steps = 4, .steps = 12};
  EXPECT_DOUBLE_EQ(learning_rate(cosine, 0), 0);
  EXPECT_DOUBLE_EQ(learning_rate(cosine, 3), 1.5);
  EXPECT_DOUBLE_EQ(learning_rate(cosine, 4), 2);
  EXPECT_NEAR(learning_rate(cosine, 8), 1, 1e-12);
  EXPECT_NEAR(learning_rate(cosine, 12), 0, 1e-12);
  const LrSchedule constant{.curve = LrCurve::constant, .peak = 2, .warmup_steps = 0, .steps = 12};
  EXPECT_DOUBLE_EQ(learning_rate(constant, 0), 2);
  EXPECT_DOUBLE_EQ(learning_rate(constant, 11), 2);
}

TEST(AdamW, TakesTheStepOfItsFormula) {
  const at::Tensor parameter = at::full({1}, 2.0, at::kDouble);
  AdamW optimizer({parameter}, {.beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-3, .weight_decay = 0.1});
  double value = 2, first = 0, second = 0;
  for (int step = 1; step <= 3; ++step) {
    const double gradient = 0.5 * step, rate = 0.01 * step;
    optimizer.step(std::vector<at::Tensor>{at::full({1}, gradient, at::kDouble)}, std::vector<double>{rate});
    first = 0.9 * first + 0.1 * gradient;
    second = 0.99 * second + 0.01 * gradient * gradient;
    value -= rate * 0.1 * value;
    value -= rate * (first / (1 - std::pow(0.9, step))) / (std::sqrt(second / (1 - std::pow(0.99, step))) + 1e-3);
    EXPECT_NEAR(parameter.item<double>(), value, 1e-12) << "step " << step;
  }
  EXPECT_EQ(optimizer.steps(), 3);
}

TEST(InitialLora, IsUniformWithinOneOverTheRootOfFanInAndHasNoEffectYet) {
  const std::vector<LoraTarget> targets = {{"a.to_q", {6, 16}}, {"b.conv", {5, 4, 3, 3}}};
  std::vector<std::string> asked;
  const Lora lora = initial_lora(targets, 3, 1.5, [&](std::string_view layer, std::span<float> values) {
    asked.emplace_back(layer);
    for (size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? 0.0F : 0.75F;
  });
  EXPECT_EQ(asked, (std::vector<std::string>{"a.to_q", "b.conv"}));
  const LoraLayer &linear = lora.layers.at("a.to_q"), &conv = lora.layers.at("b.conv");
  EXPECT_EQ(linear.a.sizes().vec(), (std::vector<int64_t>{3, 16}));
  EXPECT_EQ(conv.a.sizes().vec(), (std::vector<int64_t>{3, 4, 3, 3}));
  EXPECT_EQ(conv.b.sizes().vec(), (std::vector<int64_t>{5, 3}));
  EXPECT_FLOAT_EQ(linear.a[0][0].item<float>(), -0.25F);  // 16 inputs: within 1/4
  EXPECT_FLOAT_EQ(linear.a[0][1].item<float>(), 0.125F);
  EXPECT_FLOAT_EQ(conv.a.flatten()[0].item<float>(), -1.0F / 6);  // 4 x 3 x 3 inputs
  EXPECT_EQ(conv.alpha, 1.5);
  EXPECT_EQ(conv.delta().count_nonzero().item<int64_t>(), 0);
}

TEST(LoraTargets, AreAttentionProjectionsAndFeedForward) {
  EXPECT_TRUE(is_lora_target("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"));
  EXPECT_TRUE(is_lora_target("down_blocks.0.attentions.0.proj_in"));
  EXPECT_TRUE(is_lora_target("mid_block.attentions.0.transformer_blocks.0.ff.net.2"));
  EXPECT_FALSE(is_lora_target("down_blocks.0.resnets.0.conv1"));
  EXPECT_FALSE(is_lora_target("down_blocks.0.resnets.0.time_emb_proj"));
}

}  // namespace
}  // namespace atelier::diffusion
