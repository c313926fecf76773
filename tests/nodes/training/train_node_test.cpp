#include "training/train_node.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "model/base_model.h"
#include "model/loras.h"
#include "model/tensors.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"
#include "training/train_checkpoint.h"
#include "training/training_batch.h"

namespace atelier {
namespace {

using testing::ElementsAre;

const std::map<std::string, Value> kShort{{"rank", 2}, {"steps", 6}, {"learning_rate", 1e-3}};

Inputs inputs_of(const std::vector<Dataset>& datasets) {
  std::vector<Artifact> artifacts;
  for (const auto& dataset : datasets) artifacts.push_back(dataset.to_artifact());
  return {{"base", {tiny_base()}}, {"datasets", artifacts}};
}

Expected<Outputs> train(const std::vector<Dataset>& datasets, const std::map<std::string, Value>& params,
                        FakeContext& context, const std::string& device_id = "cpu:0") {
  FakeDevice device(device_id);
  return run_node(*make_train_node(), inputs_of(datasets), params, context, device);
}

LoraSet trained(const std::vector<Dataset>& datasets, const std::map<std::string, Value>& params) {
  FakeContext context;
  const auto outputs = train(datasets, params, context);
  if (!outputs) throw Fault(outputs.error().message);
  return *LoraSet::from(outputs->at("lora"));
}

std::vector<std::int64_t> steps_done(const FakeContext& context) {
  std::vector<std::int64_t> steps;
  for (const auto& metric : context.metrics)
    if (metric.name == "loss") steps.push_back(metric.step);
  return steps;
}

Digest digest_of_training(const std::vector<Dataset>& datasets, FakeContext& context,
                          const std::string& device_id = "cpu:0") {
  const auto outputs = train(datasets, kShort, context, device_id);
  if (!outputs) throw Fault(outputs.error().message);
  return digest_of(outputs->at("lora"));
}

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
      {unet}, schedule, {{starting_lora(unet->lora_targets(), 2, 2, 0, base_digest(model))}}, options);
  const VisitPlan plan(datasets, 1, 0);
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

TEST(Train, RefusesPhotosOfDifferentSizes) {
  auto dataset = tiny_dataset({"a.png", "b.png"});
  dataset.items[1].mean = normal_tensor({4, 8, 24}, "b");
  dataset.items[1].deviation = constant_tensor({4, 8, 24}, 0);
  dataset.items[1].mask = constant_tensor({8, 24}, 1);
  FakeContext context;
  const auto outputs = train({dataset}, kShort, context);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().message,
            "a.png has latents of 16 x 16, b.png of 24 x 8: all photos of a training must be of one size; resize them "
            "to it");
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

TEST(StartingLora, IsTheSameForEqualSeedBaseLayerAndRankAlone) {
  const std::vector<diffusion::LoraTarget> one{{"up.to_q", {8, 8}}}, two{{"down.to_q", {8, 8}}, {"up.to_q", {8, 8}}};
  const auto a = starting_lora(one, 4, 4, 1, sha256("base")), b = starting_lora(two, 4, 2, 1, sha256("base"));
  EXPECT_TRUE(at::equal(a.layers.at("up.to_q").a, b.layers.at("up.to_q").a));
  const auto other_seed = starting_lora(one, 4, 4, 2, sha256("base"));
  EXPECT_FALSE(at::equal(a.layers.at("up.to_q").a, other_seed.layers.at("up.to_q").a));
  const auto other_base = starting_lora(one, 4, 4, 1, sha256("another"));
  EXPECT_FALSE(at::equal(a.layers.at("up.to_q").a, other_base.layers.at("up.to_q").a));
}

TEST(TrainingBatch, ShowsACustomersPhotoAlikeInBothTrainings) {
  const auto photos = tiny_dataset({"a.png", "b.png", "c.png"});
  const std::vector<Dataset> alone{photos}, beside{tiny_dataset({"r1.png", "r2.png"}, false), photos};
  const VisitPlan plan_alone(alone, 1, 5), plan_beside(beside, 1, 5);
  const BatchSettings settings{5, 1000, 0.18215, at::kCPU};
  for (std::int64_t step = 0; step < 7; ++step) {
    const auto one = training_batch(alone, plan_alone, plan_alone.step(step), settings);
    const auto two = training_batch(beside, plan_beside, plan_beside.step(step), settings);
    EXPECT_TRUE(at::equal(one.noise[0], two.noise[1]));
    EXPECT_TRUE(at::equal(one.latents[0], two.latents[1]));
    EXPECT_TRUE(at::equal(one.timesteps[0], two.timesteps[1]));
    EXPECT_FALSE(at::equal(two.noise[0], two.noise[1]));
  }
}

TEST(TrainingBatch, DrawsAnewAtEveryVisitAndForEveryPhoto) {
  const std::vector<Dataset> datasets{tiny_dataset({"a.png", "b.png"})};
  const VisitPlan plan(datasets, 1, 5);
  const std::vector<Visit> visits{{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 0, 0}};
  const auto batch = training_batch(datasets, plan, visits, {5, 1000, 1, at::kCPU});
  for (const auto& drawn : {batch.noise, batch.latents}) {
    EXPECT_FALSE(at::equal(drawn[0], drawn[1]));
    EXPECT_FALSE(at::equal(drawn[0], drawn[2]));
    EXPECT_TRUE(at::equal(drawn[0], drawn[3]));
  }
  const auto other_seed = training_batch(datasets, plan, visits, {6, 1000, 1, at::kCPU});
  EXPECT_FALSE(at::equal(batch.noise[0], other_seed.noise[0]));
}

TEST(TrainingBatch, DrawsNormalNoiseAndUniformTimestepsOfTheWholeSchedule) {
  const std::vector<Dataset> datasets{tiny_dataset({"a.png"})};
  const VisitPlan plan(datasets, 1, 0);
  std::vector<Visit> visits;
  for (std::uint64_t n = 0; n < 400; ++n) visits.push_back({0, 0, n});
  const auto batch = training_batch(datasets, plan, visits, {0, 1000, 1, at::kCPU});
  EXPECT_NEAR(batch.noise.mean().item<double>(), 0, 0.01);  // 409,600 draws: four standard errors are 0.006
  EXPECT_NEAR(batch.noise.std().item<double>(), 1, 0.01);
  const auto timesteps = batch.timesteps.to(at::kDouble);
  EXPECT_NEAR(timesteps.mean().item<double>(), 499.5, 60);  // four standard errors of 400 draws are 58
  EXPECT_LT(timesteps.min().item<double>(), 50);
  EXPECT_GT(timesteps.max().item<double>(), 950);
}

TEST(TrainingBatch, ScalesLatentsAndWeighsRowsByShareAndPhoto) {
  std::vector<Dataset> datasets{tiny_dataset({"r.png"}, false), tiny_dataset({"a.png"})};
  datasets[0].share = 0.5;
  datasets[1].share = 1.5;
  datasets[1].items[0].weight = 0.25;
  for (auto& dataset : datasets) dataset.items[0].deviation = constant_tensor({4, kTinyGrid, kTinyGrid}, 0);
  const VisitPlan plan(datasets, 1, 0);
  const auto batch = training_batch(datasets, plan, plan.step(0), {0, 1000, 0.5, at::kCPU});
  EXPECT_TRUE(at::equal(batch.latents[1], 0.5 * as_torch(datasets[1].items[0].mean)));
  EXPECT_FLOAT_EQ(batch.weights[0].item<float>(), 1.0f);          // share 0.5 of two datasets
  EXPECT_FLOAT_EQ(batch.weights[1].item<float>(), 3.0f * 0.25f);  // share 1.5, and the photo's own weight
}

// Loss of each of `pairs` fixed draws of noise and timestep, [pairs], under a LoRA.
at::Tensor losses_under(const diffusion::Lora& lora, const std::vector<Dataset>& datasets, std::int64_t pairs) {
  FakeDevice device;
  const auto base = *Model::from(tiny_base());
  const auto folder = open_base(base);
  const auto schedule = diffusion::NoiseSchedule::create(folder->scheduler_config());
  auto trainer = diffusion::Trainer::lora({*resident_unet(base, device)}, *schedule, {{lora}}, {});
  const VisitPlan plan(datasets, 32, 999);
  std::vector<at::Tensor> losses;
  for (std::int64_t step = 0; step < pairs / 32; ++step)
    losses.push_back(*trainer->losses(training_batch(datasets, plan, plan.step(step), {999, 1000, 0.18215, at::kCPU})));
  return at::cat(losses).to(at::kDouble);
}

TEST(Train, LowersTheMaskedLossByMoreThanThreeStandardErrors) {
  auto dataset = tiny_dataset({"a.png", "b.png", "c.png", "d.png"});
  std::vector<float> left_half(static_cast<std::size_t>(kTinyGrid * kTinyGrid));
  for (std::size_t i = 0; i < left_half.size(); ++i) left_half[i] = i % kTinyGrid < kTinyGrid / 2 ? 1.0f : 0.0f;
  for (auto& item : dataset.items) item.mask = Tensor::of({kTinyGrid, kTinyGrid}, left_half);
  const std::vector<Dataset> datasets{dataset};
  const auto after = as_diffusion(trained(datasets, {{"rank", 8}, {"steps", 200}, {"learning_rate", 1e-3}}));
  auto before = after;
  for (auto& [name, layer] : before.layers) layer.b = at::zeros_like(layer.b);

  const auto fall = losses_under(before, datasets, 256) - losses_under(after, datasets, 256);
  const double standard_error = fall.std().item<double>() / std::sqrt(256.0);
  EXPECT_GT(fall.mean().item<double>(), 3 * standard_error);
}

}  // namespace
}  // namespace atelier
