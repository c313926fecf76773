#include "training/train_node.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "model/base_model.h"
#include "model/loras.h"
#include "model/tensors.h"
#include "train_case.h"
#include "training/lora_start.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Train, LearnsALoraOfTheWantedRankAndTellsTheLossOfEachStep) {
  FakeContext context;
  const auto outputs = train({tiny_dataset({"a.png", "b.png"})}, kShort, context);
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto lora = LoraSet::from(outputs->at("lora"));
  ASSERT_TRUE(lora) << lora.error().message;
  const auto& factors = lora->layers.at("mid_block.attentions.0.transformer_blocks.0.attn1.to_q");
  EXPECT_EQ(factors.a.shape()[0], 2);
  EXPECT_EQ(factors.alpha, 2);
  EXPECT_EQ(lora->base, base_digest(*Model::from(tiny_base())));
  EXPECT_EQ(lora->facts, (nlohmann::json{{"base_model", "sd_v1"}, {"steps", 6}, {"rank", 2}, {"alpha", 2.0}}));
  EXPECT_THAT(steps_done(context), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(Train, TakesTheStepsOfItsPlanOnLatentsAsTheUNetSeesThem) {
  const std::vector<Dataset> datasets{tiny_dataset({"r.png"}, false), tiny_dataset({"a.png", "b.png"})};
  const auto model = *Model::from(tiny_base());
  const auto folder = *open_base(model);
  const auto schedule = *diffusion::NoiseSchedule::create(folder.scheduler_config());
  FakeDevice device;
  const auto unet = *resident_unet(model, device);
  diffusion::TrainingOptions options;
  options.rate = {diffusion::LrCurve::cosine, 1e-3, 0, 6};
  auto by_hand = *diffusion::Trainer::lora(
      {unet}, schedule, {{starting_lora(unet->lora_targets(), {2, 2}, 0, base_digest(model))}}, options);
  VisitPlan plan(datasets, 1, 0);
  for (std::int64_t step = 0; step < 6; ++step)
    ASSERT_TRUE(by_hand.step(training_batch(datasets, plan, plan.step(step), {0, 1000, 0.18215, at::kCPU})));

  const auto by_node = as_diffusion(trained(datasets, kShort));
  for (const auto& [name, layer] : by_hand.lora().layers) {
    EXPECT_TRUE(at::equal(by_node.layers.at(name).a, layer.a)) << name;
    EXPECT_TRUE(at::equal(by_node.layers.at(name).b, layer.b)) << name;
  }
}

TEST(Train, GoesOnToTheBitWhereItWasStopped) {
  const std::vector<Dataset> datasets{tiny_dataset({"a.png", "b.png", "c.png"})};
  FakeContext whole, cut;
  const auto expected = digest_of_training(datasets, whole);
  cut.stop_after = 4;  // asked before each step
  const auto stopped = train(datasets, kShort, cut);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::stopped);
  EXPECT_EQ(stopped.error().message, "stopped at step 4 of 6");
  EXPECT_EQ(cut.checkpoint->metadata, (nlohmann::json{{"step", 4}, {"steps", 6}}));
  cut.stop_after = -1;
  EXPECT_EQ(digest_of_training(datasets, cut), expected);
  EXPECT_THAT(steps_done(cut), ElementsAre(0, 1, 2, 3, 4, 5));  // none twice
}

TEST(Train, GoesOnToTheBitFromAnEarlierCheckpoint) {
  const std::vector<Dataset> datasets{tiny_dataset({"r.png"}, false), tiny_dataset({"a.png", "b.png"})};
  auto params = kShort;
  params["checkpoint_every"] = 2;
  FakeContext whole;
  const auto outputs = train(datasets, params, whole);
  ASSERT_TRUE(outputs) << outputs.error().message;
  ASSERT_EQ(whole.saved.size(), 2u);  // after 2 and 4 steps; the end is the result itself
  FakeContext again;
  again.checkpoint = whole.saved.front();
  EXPECT_EQ(digest_of_training(datasets, again), digest_of(outputs->at("lora")));
  EXPECT_THAT(steps_done(again), ElementsAre(2, 3, 4, 5));
}

TEST(Train, BeginsAnewAndSaysSoWhereACheckpointDoesNotFit) {
  const std::vector<Dataset> datasets{tiny_dataset({"a.png"})};
  FakeContext whole, wrong;
  const auto expected = digest_of_training(datasets, whole);
  wrong.checkpoint = Artifact{};
  EXPECT_EQ(digest_of_training(datasets, wrong), expected);
  EXPECT_THAT(wrong.warnings, ElementsAre("checkpoint: 'step' is missing; the training began anew"));
}

TEST(Train, DependsOnNeitherDeviceNorWhatTheThreadDidBefore) {
  const std::vector<Dataset> datasets{tiny_dataset({"a.png", "b.png"})};
  FakeContext one, two;
  const auto expected = digest_of_training(datasets, one, "cpu:0");
  Digest other;
  std::thread([&] {
    at::set_num_threads(2);
    other = digest_of_training(datasets, two, "cpu:1");
    EXPECT_EQ(at::get_num_threads(), 2);  // as it was
  }).join();
  EXPECT_EQ(other, expected);
}

TEST(Train, LearnsNothingUnderAMaskOfZeros) {
  const auto lora = trained({tiny_dataset({"a.png", "b.png"}, true, 0)}, kShort);
  for (const auto& [layer, factors] : lora.layers)
    for (const float value : factors.b.values<float>()) ASSERT_EQ(value, 0) << layer;
}

TEST(Train, CountsStepsByTheCustomersPhotos) {
  const std::vector<Dataset> datasets{tiny_dataset({"r1.png", "r2.png", "r3.png"}, false),
                                      tiny_dataset({"a.png", "b.png"})};
  const auto lora = trained(datasets, {{"rank", 1}, {"steps_per_image", 3}});
  EXPECT_EQ(lora.facts.at("steps"), 6);
}

TEST(Train, LearnsFromPhotosOfSeveralSizesAndGoesOnToTheBit) {
  const std::vector<Dataset> datasets{dataset_of_two_sizes()};
  const std::map<std::string, Value> params{{"rank", 2}, {"steps", 4}, {"batch_size", 3}, {"checkpoint_every", 2}};
  FakeContext whole, again;
  const auto outputs = train(datasets, params, whole);
  ASSERT_TRUE(outputs) << outputs.error().message;
  again.checkpoint = whole.saved.at(0);
  EXPECT_EQ(digest_of(train(datasets, params, again)->at("lora")), digest_of(outputs->at("lora")));
}

TEST(Train, AccumulatesWhatALargerBatchWouldSee) {
  const std::vector<Dataset> datasets{tiny_dataset({"a.png", "b.png"})};
  const auto at_once = as_diffusion(trained(datasets, {{"rank", 2}, {"steps", 3}, {"batch_size", 2}}));
  const auto in_turn = as_diffusion(trained(datasets, {{"rank", 2}, {"steps", 3}, {"gradient_accumulation", 2}}));
  double apart = 0, length = 0;  // AdamW's first steps magnify rounding where a gradient is tiny, so all in all
  for (const auto& [name, layer] : at_once.layers) {
    apart += (in_turn.layers.at(name).b - layer.b).square().sum().item<double>();
    length += layer.b.square().sum().item<double>();
  }
  EXPECT_LT(std::sqrt(apart / length), 0.02);
}

TEST(Train, TakesFewerPhotosAtOnceOnceMemoryRanOut) {
  const std::vector<Dataset> datasets{tiny_dataset({"a.png", "b.png", "c.png"})};
  const auto trained_after = [&](int times, std::map<std::string, Value> more, std::vector<std::string>& warnings) {
    FakeContext context;
    context.out_of_memory_before = times;
    more.merge(std::map<std::string, Value>{{"rank", 2}, {"steps", 3}, {"batch_size", 3}});
    const auto outputs = train(datasets, more, context);
    warnings = context.warnings;
    return digest_of(outputs.value().at("lora"));
  };
  std::vector<std::string> none, once, twice, asked;
  const auto at_once = trained_after(0, {}, none), in_twos = trained_after(0, {{"micro_batch", 2}}, asked);
  const auto in_ones = trained_after(0, {{"micro_batch", 1}}, asked);
  EXPECT_NE(at_once, in_twos) << "else nothing is tested here";
  EXPECT_EQ(trained_after(1, {}, once), in_twos);
  EXPECT_EQ(trained_after(2, {}, twice), in_ones);
  EXPECT_THAT(none, IsEmpty());
  EXPECT_THAT(once, ElementsAre("memory ran out with 3 photos in a pass of the model; it was trained with 2 in each, "
                                "which gives the same within rounding"));
  EXPECT_THAT(twice, ElementsAre("memory ran out with 3 photos in a pass of the model; it was trained with 1 in each, "
                                 "which gives the same within rounding"));
  EXPECT_EQ(trained_after(1, {{"micro_batch", 1}}, asked), in_ones);
  EXPECT_THAT(asked, IsEmpty()) << "there is nothing smaller";
}

TEST(Train, RefusesAFusedModel) {
  auto base = *Model::from(tiny_base());
  base.loras.push_back({LoraSet{}, 1});
  auto inputs = inputs_of({tiny_dataset({"a.png"})});
  inputs["base"] = {base.to_artifact()};
  FakeContext context;
  FakeDevice device;
  const auto outputs = run_node(*make_train_node(), inputs, kShort, context, device);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().message, "train takes a base model; this one is fused");
}

TEST(Train, LoadsTheBaseOnceForAllTrainingsOfADevice) {
  const auto node = make_train_node();
  FakeDevice device;
  for (int i = 0; i < 2; ++i) {
    FakeContext context;
    ASSERT_TRUE(run_node(*node, inputs_of({tiny_dataset({"a.png"})}), kShort, context, device));
  }
  EXPECT_EQ(device.loads(), 1u);
}

TEST(Train, TellsAWarmUpThatIsLongerThanTheTraining) {
  const auto node = make_train_node();
  const Params params(node->spec(), {{"steps", 10}, {"warmup_steps", 11}});
  EXPECT_THAT(node->check(params, {}),
              ElementsAre("param 'warmup_steps' is 11, more than the 10 steps of the training"));
}

}  // namespace
}  // namespace atelier
