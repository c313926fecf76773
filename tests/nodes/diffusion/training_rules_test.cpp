// The rules of a training by their definitions: Adafactor, averages, scale and watch of the loss, dropout, targets.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "diffusion/adafactor.h"
#include "diffusion/adamw.h"
#include "diffusion/dropout.h"
#include "diffusion/ema.h"
#include "diffusion/gradients.h"
#include "diffusion/lora_targets.h"
#include "diffusion/loss_scale.h"
#include "diffusion/loss_watch.h"
#include "diffusion/name_patterns.h"
#include "diffusion/noise_schedule.h"
#include "diffusion/snr_weights.h"
#include "golden_unet.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

TEST(Adafactor, TakesTheStepOfItsFormulaForAMatrix) {
  RandomLoras random(4);
  const at::Tensor parameter = random.normal({1, 3, 5}).to(at::kDouble);
  at::Tensor value = parameter[0].clone(), rows = at::zeros({3}, at::kDouble), columns = at::zeros({5}, at::kDouble);
  Adafactor optimizer({parameter}, {.clip_threshold = 0.7, .weight_decay = 0.1});
  for (int step = 1; step <= 3; ++step) {
    const at::Tensor gradient = random.normal({3, 5}).to(at::kDouble);
    optimizer.step(std::vector{gradient.unsqueeze(0)}, std::vector{0.01});
    const double decay = 1 - std::pow(step, -0.8);
    const at::Tensor square = gradient.square() + 1e-30;
    rows = decay * rows + (1 - decay) * square.mean(1);
    columns = decay * columns + (1 - decay) * square.mean(0);
    at::Tensor update = gradient / at::outer(rows / rows.mean(), columns).sqrt();
    update = update / std::max(1.0, update.square().mean().sqrt().item<double>() / 0.7);
    value = value - 0.01 * 0.1 * value - 0.01 * update;
    EXPECT_LT(greatest_difference(parameter[0], value), 1e-12) << "step " << step;
  }
}

TEST(Adafactor, KeepsTenantsApart) {
  RandomLoras random(5);
  const at::Tensor start = random.normal({2, 4, 3}), both = start.clone();
  const at::Tensor first = start.slice(0, 0, 1).clone(), second = start.slice(0, 1, 2).clone();
  Adafactor together({both}, {}), one({first}, {}), two({second}, {});
  for (int step = 0; step < 3; ++step) {
    at::Tensor gradient = random.normal({2, 4, 3});
    gradient[1].mul_(1000);
    together.step(std::vector{gradient}, std::vector{0.1});
    one.step(std::vector{gradient.slice(0, 0, 1)}, std::vector{0.1});
    two.step(std::vector{gradient.slice(0, 1, 2)}, std::vector{0.1});
  }
  EXPECT_LT(greatest_difference(both, at::cat({first, second})), 1e-6);
}

TEST(Optimizers, LeaveAParameterWithoutGradientAsItIs) {
  for (const bool adafactor : {false, true}) {
    const at::Tensor left = at::ones({1, 2, 2}), moved = at::ones({1, 2, 2});
    std::unique_ptr<Optimizer> optimizer;
    if (adafactor)
      optimizer = std::make_unique<Adafactor>(std::vector{left, moved}, AdafactorOptions{.weight_decay = 1});
    else
      optimizer = std::make_unique<AdamW>(std::vector{left, moved}, AdamWOptions{.weight_decay = 1});
    optimizer->step(std::vector{at::Tensor(), at::ones({1, 2, 2})}, std::vector{0.1, 0.1});
    EXPECT_TRUE(at::equal(left, at::ones({1, 2, 2})));
    EXPECT_FALSE(at::equal(moved, at::ones({1, 2, 2})));
    for (const auto& memory : optimizer->memory(0)) EXPECT_EQ(memory.tensor.count_nonzero().item<int64_t>(), 0);
  }
}

TEST(Optimizers, TakeARateForEachParameter) {
  const at::Tensor still = at::ones({1, 2}), moved = at::ones({1, 2}), gradient = at::ones({1, 2});
  AdamW optimizer({still, moved}, {.weight_decay = 0});
  optimizer.step(std::vector{gradient, gradient}, std::vector{0.0, 0.25});
  EXPECT_TRUE(at::equal(still, at::ones({1, 2})));
  EXPECT_NEAR(moved[0][0].item<double>(), 0.75, 1e-6);
}

TEST(Gradients, AreNormedAndClippedByTenant) {
  std::vector<at::Tensor> gradients{at::tensor({3.0F, 0.0F, 0.0F, 0.0F}).view({2, 2}), at::Tensor(),
                                    at::tensor({4.0F, 2.0F}).view({2, 1})};
  const at::Tensor norms = gradient_norms(gradients, 2, at::kCPU);
  EXPECT_FLOAT_EQ(norms[0].item<float>(), 5);
  EXPECT_FLOAT_EQ(norms[1].item<float>(), 2);
  scale_gradients(gradients, {clip_factor(5, 1), clip_factor(2, 10)});
  EXPECT_NEAR(gradients[0][0][0].item<double>(), 0.6, 1e-6);
  EXPECT_NEAR(gradients[2][0][0].item<double>(), 0.8, 1e-6);
  EXPECT_FLOAT_EQ(gradients[2][1][0].item<float>(), 2);
  EXPECT_EQ(clip_factor(1e9, 0), 1);
}

TEST(Gradients, OfSeveralPassesAreSummedInFloat32) {
  GradientSum sum(2);
  sum.add({at::full({1, 1}, 256, at::kBFloat16), at::Tensor()});
  sum.add({at::full({1, 1}, 1, at::kBFloat16), at::ones({1, 1})});  // 257 is no bfloat16
  EXPECT_EQ(sum.sums()[0].item<float>(), 257);
  EXPECT_EQ(sum.sums()[1].item<float>(), 1);
}

TEST(Averages, BeginWithoutMemoryAndExchangeThereAndBack) {
  const std::vector<at::Tensor> parameters{at::zeros({1, 2})};
  Ema averages(parameters, 0.99);
  parameters[0].fill_(1);
  averages.update(parameters, 0);
  EXPECT_TRUE(at::equal(averages.averages()[0], at::ones({1, 2})));
  parameters[0].fill_(3);
  averages.update(parameters, 1);  // decay 2 / 11
  EXPECT_NEAR(averages.averages()[0][0][0].item<double>(), 1 * 2 / 11.0 + 3 * 9 / 11.0, 1e-6);
  const at::Tensor average = averages.averages()[0].clone();
  averages.exchange(parameters);
  EXPECT_TRUE(at::equal(parameters[0], average));
  averages.exchange(parameters);
  EXPECT_TRUE(at::equal(parameters[0], at::full({1, 2}, 3.0F)));
  EXPECT_EQ(ema_decay(0.99, 1000000), 0.99);
}

TEST(LossScaleRule, HalvesOnOverflowAndDoublesAfterTwoThousandGoodSteps) {
  LossScale scale;
  scale.update(true);
  EXPECT_EQ(scale.scale, 32768);
  EXPECT_EQ(scale.skipped, 1);
  for (int i = 0; i < 1999; ++i) scale.update(false);
  EXPECT_EQ(scale.scale, 32768);
  scale.update(false);
  EXPECT_EQ(scale.scale, 65536);
  for (int i = 0; i < 17; ++i) scale.update(true);
  EXPECT_TRUE(scale.exhausted());
}

TEST(LossWatchRule, JudgesNoSingleLossAndNoneOfTheFirstFifty) {
  LossWatch watch;
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(watch.explodes(1));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(watch.explodes(100));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(watch.explodes(1));
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 19; ++i) EXPECT_FALSE(watch.explodes(100));
    EXPECT_FALSE(watch.explodes(9));
    for (int i = 0; i < 40; ++i) EXPECT_FALSE(watch.explodes(1));
  }
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(watch.explodes(100));
  EXPECT_TRUE(watch.explodes(100));
}

TEST(LossWatchRule, GoesOnFromItsState) {
  LossWatch watch, again;
  for (int i = 0; i < 130; ++i) watch.explodes(i % 7 + 1);
  for (int i = 0; i < 12; ++i) watch.explodes(1000);
  again.restore(watch.state());
  EXPECT_EQ(again.median(), watch.median());
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(again.explodes(1000));
  EXPECT_TRUE(again.explodes(1000));
}

TEST(MinSnr, LeavesNoisyTimestepsAsTheyAreAndLowersCleanOnes) {
  const NoiseSchedule schedule = must(NoiseSchedule::create({}));
  const at::Tensor all = min_snr_weights(schedule, at::arange(1000), 5);
  EXPECT_LT(all[0].item<float>(), 0.01F);
  EXPECT_EQ(all[999].item<float>(), 1);
  EXPECT_TRUE(all.slice(0, 1).ge(all.slice(0, 0, 999)).all().item<bool>());
}

/// y += s B A x, as adapters of K tenants with random factors for a linear layer.
Adapters random_adapters(int64_t tenants, RandomLoras& random) {
  return Adapters(
      {{"layer", {random.normal({tenants, 3, 4}), random.normal({tenants, 5, 3}), at::full({tenants}, 0.5F)}}},
      std::vector<int64_t>{0});
}

/// Uniform numbers that alternate between low and high, so that every second one is dropped at 0.4.
void low_and_high(int64_t, std::string_view, std::span<float> values) {
  for (size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? 0.1F : 0.9F;
}

TEST(DropoutRule, DropsRanksOfEachRowAndRaisesTheOthers) {
  for (const int64_t tenants : {1, 2}) {
    RandomLoras random(6);
    const Adapters adapters = random_adapters(tenants, random);
    const AdapterLayer& layer = adapters.layers().at("layer");
    const std::vector<int64_t> tenant_of = tenants == 1 ? std::vector<int64_t>{0, 0, 0} : std::vector<int64_t>{1, 0, 1};
    const Dropout dropout({.rank = 0.4, .module = 0}, low_and_high, 3, 0, adapters, tenant_of);
    std::vector<int64_t> rows = tenant_of;
    const at::Tensor x = random.normal({3, 2, 4}), y = random.normal({3, 2, 5});
    const Adapters dropped = dropout.on(adapters, rows);
    const at::Tensor result = dropped.for_rows(rows).add_linear("layer", x, y);
    for (int64_t row = 0; row < 3; ++row) {
      const int64_t k = tenant_of[static_cast<size_t>(row)];
      at::Tensor kept = at::zeros({3});
      for (int64_t rank = 0; rank < 3; ++rank) kept[rank] = (row * 3 + rank) % 2 == 0 ? 0.0F : 1.0F;
      const at::Tensor low = at::mm(x[row], layer.a[k].t()) * kept;
      const at::Tensor wanted = y[row] + at::mm(low, layer.b[k].t()) * 0.5 / (1 - 0.4);
      EXPECT_LT(greatest_difference(result[row], wanted), 1e-5) << "row " << row << " of " << tenants << " tenants";
    }
  }
}

TEST(DropoutRule, DropsWholeLayersOfATenant) {
  RandomLoras random(7);
  const Adapters adapters = random_adapters(2, random);
  std::vector<int64_t> rows{0, 1};
  const Dropout dropout({.rank = 0, .module = 0.4}, low_and_high, 0, 0, adapters, rows);
  const at::Tensor x = random.normal({2, 2, 4}), y = random.normal({2, 2, 5});
  const at::Tensor result = dropout.on(adapters, rows).for_rows(rows).add_linear("layer", x, y);
  const at::Tensor whole = adapters.for_rows(rows).add_linear("layer", x, y);
  EXPECT_LT(greatest_difference(result[0], y[0]), 1e-6);  // dropped
  EXPECT_LT(greatest_difference(result[1], whole[1]), 1e-6);
}

TEST(DropoutRule, DrawsByStepLayerAndBatchAloneAndCutsWithTheRows) {
  RandomLoras random(8);
  const Adapters adapters = random_adapters(1, random);
  std::vector<std::string> asked;
  const auto source = [&](int64_t step, std::string_view purpose, std::span<float> values) {
    asked.push_back(std::to_string(step) + ": " + std::string(purpose));
    low_and_high(step, purpose, values);
  };
  const std::vector<int64_t> all{0, 0, 0};
  const Dropout dropout({.rank = 0.4, .module = 0.4}, source, 12, 1, adapters, all);
  EXPECT_EQ(asked, (std::vector<std::string>{"12: module of layer, batch 1", "12: ranks of layer, batch 1"}));
  std::vector<int64_t> rows = all, last{0};
  const at::Tensor whole = dropout.on(adapters, rows).layers().at("layer").b;
  EXPECT_TRUE(at::equal(dropout.rows(2, 3).on(adapters, last).layers().at("layer").b[0], whole[2]));
}

std::vector<LoraTarget> some_layers() {
  return {{"conv_in", {8, 4, 3, 3}},
          {"down_blocks.0.attentions.0.proj_in", {8, 8, 1, 1}},
          {"down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", {8, 8}},
          {"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q", {8, 8}},
          {"down_blocks.0.resnets.0.conv1", {8, 8, 3, 3}},
          {"down_blocks.0.resnets.0.conv_shortcut", {8, 4, 1, 1}},
          {"down_blocks.0.resnets.0.time_emb_proj", {8, 32}},
          {"text_encoder.text_model.encoder.layers.0.mlp.fc1", {16, 8}}};
}

std::vector<std::string> selected(const LoraShape& shape, const std::vector<std::string>& patterns) {
  std::vector<std::string> names;
  for (const LoraTarget& target : must(select_lora_targets(some_layers(), shape, patterns)))
    names.push_back(target.name.substr(target.name.rfind('.') + 1));
  return names;
}

TEST(Targets, AreThoseOfKohyasLoraAndLoConUnlessNamed) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(selected({}, {}), (Names{"proj_in", "to_q", "to_q", "fc1"}));
  EXPECT_EQ(selected({.conv_rank = 4}, {}),
            (Names{"proj_in", "to_q", "to_q", "conv1", "conv_shortcut", "time_emb_proj", "fc1"}));
  EXPECT_EQ(selected({}, {"to_q"}), (Names{"to_q", "to_q"}));
  EXPECT_EQ(selected({}, {"attn2.to_q", "conv*"}), (Names{"conv_in", "to_q", "conv1", "conv_shortcut"}));
  EXPECT_EQ(selected({}, {"text_encoder.*"}), (Names{"fc1"}));
  EXPECT_EQ(selected({}, {"*attn?.to_q", "!*attn1*"}), (Names{"to_q"}));
  EXPECT_EQ(selected({}, {R"(/.*resnets\.\d+\.conv\d/)"}), (Names{"conv1"}));
}

TEST(Targets, HaveTheRankOfTheirKind) {
  const LoraShape shape{.rank = 4, .alpha = 2, .conv_rank = 3, .conv_alpha = 1};
  const Lora lora = initial_lora(some_layers(), shape,
                                 [](std::string_view, std::span<float> values) { std::ranges::fill(values, 0.25F); });
  const auto kind = [&](const std::string& name) {
    const LoraLayer& layer = lora.layers.at("down_blocks.0." + name);
    return std::pair(layer.rank(), layer.alpha);
  };
  EXPECT_EQ(kind("resnets.0.conv1"), std::pair(int64_t{3}, 1.0));
  EXPECT_EQ(kind("resnets.0.conv_shortcut"), std::pair(int64_t{4}, 2.0));
  EXPECT_EQ(kind("attentions.0.proj_in"), std::pair(int64_t{4}, 2.0));
}

TEST(Targets, ThatMatchNothingOrAreNoPatternAreMistakes) {
  const auto error_of = [](const std::string& pattern) {
    return select_lora_targets(some_layers(), {}, std::vector{pattern}).error().message;
  };
  EXPECT_EQ(error_of("to_p"),
            "pattern 'to_p' matches nothing of the base; names are such as 'down_blocks.0.resnets.0.conv1'");
  EXPECT_EQ(error_of("!"), "pattern '!' is empty");
  EXPECT_EQ(error_of("/(/").substr(0, 40), "pattern '/(/' is no regular expression: ");
}

}  // namespace
}  // namespace atelier::diffusion
