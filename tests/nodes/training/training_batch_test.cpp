#include "training/training_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/tensors.h"
#include "train_case.h"
#include "training/lora_start.h"

namespace atelier {
namespace {

using testing::ElementsAre;

TEST(TrainingBatches, HoldPhotosOfOneSizeEachWhoseRowsWeighWhatTheyWouldInOneBatch) {
  const std::vector<Dataset> datasets{dataset_of_two_sizes()};
  VisitPlan plan(datasets, 3, 0);
  const std::vector<Visit> visits{{0, 1, 0}, {0, 0, 0}, {0, 2, 0}};
  const auto batches =
      *training_batches(datasets, plan, visits, {0, 1000, 1, at::kCPU}, StatesOfTexts(datasets, std::nullopt));
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_THAT(batches[0].latents.sizes(), ElementsAre(2, 4, 8, 24));
  EXPECT_THAT(batches[1].latents.sizes(), ElementsAre(1, 4, 16, 16));
  // The trainer takes the mean over batches of the mean over rows: each row counts a third.
  EXPECT_FLOAT_EQ(batches[0].weights[0].item<float>() / 2 / 2, 1.0f / 3);
  EXPECT_FLOAT_EQ(batches[1].weights[0].item<float>() / 1 / 2, 1.0f / 3);
}

TEST(TrainingBatches, TellSdxlTheSizesOfEachPhoto) {
  std::vector<Dataset> datasets{tiny_dataset({"a.png", "b.png"})};
  datasets[0].items[1].sizes = {800, 1200, 5, -3, 512, 640};
  VisitPlan plan(datasets, 2, 0);
  BatchSettings settings{0, 1000, 1, at::kCPU};
  EXPECT_FALSE(training_batch(datasets, plan, plan.step(0), settings).time_ids.defined());
  settings.sizes = true;
  const auto ids = training_batch(datasets, plan, {{0, 0, 0}, {0, 1, 0}}, settings).time_ids;
  EXPECT_TRUE(at::equal(ids[1], at::tensor({800.0f, 1200.0f, 5.0f, -3.0f, 512.0f, 640.0f})));
}

TEST(TrainingBatches, DrawTimestepsInTheirRangeAndAddTheNoiseOffsetToWholeChannels) {
  const std::vector<Dataset> datasets{tiny_dataset({"a.png"})};
  VisitPlan plan(datasets, 1, 0);
  std::vector<Visit> visits;
  for (std::uint64_t n = 0; n < 200; ++n) visits.push_back({0, 0, n});
  BatchSettings settings{0, 600, 1, at::kCPU};
  const auto plain = training_batch(datasets, plan, visits, settings);
  settings.min_timestep = 400;
  settings.noise_offset = 0.1;
  const auto batch = training_batch(datasets, plan, visits, settings);
  EXPECT_GE(batch.timesteps.min().item<std::int64_t>(), 400);
  EXPECT_LT(batch.timesteps.max().item<std::int64_t>(), 600);
  const auto offsets = batch.noise - plain.noise;  // [200, 4, 16, 16], each channel of one value
  EXPECT_LT(offsets.flatten(2).std(-1).max().item<double>(), 1e-6);
  EXPECT_NEAR(offsets.flatten(2).select(-1, 0).std().item<double>(), 0.1, 0.01);  // of 800 draws
}

TEST(HeldOutPhotos, AreAllOfASmallDatasetAnd64SpreadOverALargeOne) {
  std::vector<std::string> few{"a.png", "b.png", "c.png"}, many;
  for (int i = 0; i < 150; ++i) many.push_back(std::to_string(i) + ".png");
  std::vector<Dataset> datasets{tiny_dataset(few), tiny_dataset(many)};
  datasets[0].items[1].mirrored = true;
  for (std::size_t i = 0; i < many.size(); ++i) datasets[1].items[i].weight = static_cast<double>(i);
  const auto photos = held_out_photos(datasets, {0, 1000, 1, at::kCPU}, StatesOfTexts(datasets, std::nullopt));
  ASSERT_TRUE(photos.has_value());
  ASSERT_EQ(photos->size(), 2U + 64U);
  EXPECT_EQ((*photos)[1].dataset, 0U);
  EXPECT_EQ((*photos)[2].batch.weights[0].item<float>(), 0);
  EXPECT_GT(photos->back().batch.weights[0].item<float>(), 145);
}

TEST(StartingLora, IsTheSameForEqualSeedBaseLayerAndRankAlone) {
  const std::vector<diffusion::LoraTarget> one{{"up.to_q", {8, 8}}}, two{{"down.to_q", {8, 8}}, {"up.to_q", {8, 8}}};
  const auto a = starting_lora(one, {4, 4}, 1, sha256("base")), b = starting_lora(two, {4, 2}, 1, sha256("base"));
  EXPECT_TRUE(at::equal(a.layers.at("up.to_q").a, b.layers.at("up.to_q").a));
  const auto other_seed = starting_lora(one, {4, 4}, 2, sha256("base"));
  EXPECT_FALSE(at::equal(a.layers.at("up.to_q").a, other_seed.layers.at("up.to_q").a));
  const auto other_base = starting_lora(one, {4, 4}, 1, sha256("another"));
  EXPECT_FALSE(at::equal(a.layers.at("up.to_q").a, other_base.layers.at("up.to_q").a));
}

TEST(TrainingBatch, ShowsACustomersPhotoAlikeInBothTrainings) {
  const auto photos = tiny_dataset({"a.png", "b.png", "c.png"});
  const std::vector<Dataset> alone{photos}, beside{tiny_dataset({"r1.png", "r2.png"}, false), photos};
  VisitPlan plan_alone(alone, 1, 5), plan_beside(beside, 1, 5);
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
  VisitPlan plan(datasets, 1, 5);
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
  VisitPlan plan(datasets, 1, 0);
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
  VisitPlan plan(datasets, 1, 0);
  const auto batch = training_batch(datasets, plan, plan.step(0), {0, 1000, 0.5, at::kCPU});
  EXPECT_TRUE(at::equal(batch.latents[1], 0.5 * as_torch(datasets[1].items[0].mean)));
  EXPECT_FLOAT_EQ(batch.weights[0].item<float>(), 1.0f);          // share 0.5 of two datasets
  EXPECT_FLOAT_EQ(batch.weights[1].item<float>(), 3.0f * 0.25f);  // share 1.5, and the photo's own weight
}

// diffusers' train_dreambooth.py, --with_prior_preservation: instance_loss + prior_loss_weight * prior_loss, each the
// mean over its rows. The class pictures are a dataset of their own, whose weight is prior_loss_weight.
TEST(TrainingBatches, GiveDreamBoothsLossWithClassPicturesOfTheirWeight) {
  auto instance = tiny_dataset({"a.png", "b.png"}), prior = tiny_dataset({"c.png", "d.png", "e.png"}, false);
  for (auto& item : prior.items) item.weight = 0.7;
  const std::vector<Dataset> datasets{instance, prior};
  VisitPlan plan(datasets, 2, 0);
  const auto visits = plan.step(0);
  const auto batch = training_batch(datasets, plan, visits, {0, 1000, 1, at::kCPU});
  const auto losses = at::tensor({0.3f, 0.9f, 0.5f, 0.1f});  // of rows: two of the instance, two of the class
  ASSERT_EQ(visits[1].dataset, 0u);
  ASSERT_EQ(visits[2].dataset, 1u);
  const double ours = (losses * batch.weights).mean().item<double>();  // as the trainer takes it
  EXPECT_NEAR(ours, (0.3 + 0.9) / 2 + 0.7 * (0.5 + 0.1) / 2, 1e-6);
}

}  // namespace
}  // namespace atelier
