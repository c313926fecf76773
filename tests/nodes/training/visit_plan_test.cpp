#include "training/visit_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace atelier {
namespace {

Dataset dataset_of(std::vector<std::string> photos, bool customer = false) {
  Dataset dataset;
  for (const auto& photo : photos) dataset.items.push_back({photo + ".jpg", sha256(photo), {}, {}, {}, "", 1});
  dataset.customer = customer;
  return dataset;
}

// What the plan shows of one dataset over the first `steps` steps: (photo's name, visit).
std::vector<std::pair<std::string, std::uint64_t>> shown(const std::vector<Dataset>& datasets, std::size_t dataset,
                                                         std::int64_t steps, std::int64_t batch_size = 1) {
  VisitPlan plan(datasets, batch_size, 0);
  std::vector<std::pair<std::string, std::uint64_t>> all;
  for (std::int64_t step = 0; step < steps; ++step)
    for (const auto& visit : plan.step(step))
      if (visit.dataset == dataset) all.emplace_back(datasets[dataset].items[visit.item].name, visit.visit);
  return all;
}

TEST(VisitPlan, ShowsEveryPhotoOnceARound) {
  const std::vector<Dataset> datasets{dataset_of({"a", "b", "c"})};
  const auto all = shown(datasets, 0, 9);
  for (std::size_t round = 0; round < 3; ++round) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < 3; ++i) {
      names.insert(all[3 * round + i].first);
      EXPECT_EQ(all[3 * round + i].second, round);
    }
    EXPECT_EQ(names.size(), 3u);
  }
}

TEST(VisitPlan, HoldsEachDatasetInEveryStep) {
  const std::vector<Dataset> datasets{dataset_of({"a", "b", "c"}), dataset_of({"x"}), dataset_of({"y", "z"})};
  VisitPlan plan(datasets, 2, 0);
  for (std::int64_t step = 0; step < 10; ++step) {
    std::map<std::size_t, int> rows;
    for (const auto& visit : plan.step(step)) ++rows[visit.dataset];
    EXPECT_EQ(rows, (std::map<std::size_t, int>{{0, 2}, {1, 2}, {2, 2}}));
  }
}

TEST(VisitPlan, ShowsACustomersPhotosAlikeWhateverElseATrainingLearnsFrom) {
  const auto customer = dataset_of({"a", "b", "c", "d"}, true);
  const std::vector<Dataset> alone{customer}, beside{dataset_of({"r1", "r2", "r3"}), customer};
  EXPECT_EQ(shown(alone, 0, 50), shown(beside, 1, 50));
}

TEST(VisitPlan, RepeatsAPhotoWithinTheRoundAndCountsItsVisits) {
  auto dataset = dataset_of({"a", "b"});
  dataset.repeats = 3;
  const std::vector<Dataset> datasets{dataset};
  std::map<std::string, std::vector<std::uint64_t>> visits;
  for (const auto& [name, visit] : shown(datasets, 0, 12)) visits[name].push_back(visit);
  EXPECT_EQ(visits["a.jpg"], (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(visits["b.jpg"], (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5}));
}

TEST(VisitPlan, ShowsAPhotoAsOftenAsItsFolderSaysTimesTheSetsRepeats) {
  auto dataset = dataset_of({"a", "b"});
  dataset.repeats = 2;
  dataset.items[1].repeats = 3;
  const std::vector<Dataset> datasets{dataset};
  std::map<std::string, std::vector<std::uint64_t>> visits;
  for (const auto& [name, visit] : shown(datasets, 0, 16)) visits[name].push_back(visit);  // two rounds of eight
  EXPECT_EQ(visits["a.jpg"], (std::vector<std::uint64_t>{0, 1, 2, 3}));
  EXPECT_EQ(visits["b.jpg"], (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
}

TEST(VisitPlan, ShowsAPhotoAndItsMirroredCopyEquallyOften) {
  auto dataset = dataset_of({"a", "b"});
  auto copy = dataset.items[0];
  copy.name = "a.mirrored.jpg";
  copy.photo = sha256("mirrored a");
  copy.mirrored = true;
  dataset.items.push_back(copy);
  const std::vector<Dataset> datasets{dataset};
  std::map<std::string, int> visits;
  for (const auto& [name, visit] : shown(datasets, 0, 12)) ++visits[name];
  EXPECT_EQ(visits["a.jpg"], 4);
  EXPECT_EQ(visits["a.mirrored.jpg"], 4);
}

TEST(VisitPlan, NeverDrawsTheSameNoiseForTwoCopiesOfAPhoto) {
  auto dataset = dataset_of({"a", "b"});
  dataset.items.push_back(dataset.items[0]);
  const std::vector<Dataset> datasets{dataset};
  std::set<std::uint64_t> visits;
  int count = 0;
  for (const auto& [name, visit] : shown(datasets, 0, 12))
    if (name == "a.jpg") visits.insert(visit), ++count;
  EXPECT_EQ(visits.size(), 8u);
  EXPECT_EQ(count, 8);
}

TEST(VisitPlan, GoesOnInsideARoundWithTheSamePhotosAtAnyBatchSize) {
  const std::vector<Dataset> datasets{dataset_of({"a", "b", "c", "d", "e"})};
  EXPECT_EQ(shown(datasets, 0, 12, 1), shown(datasets, 0, 4, 3));
}

TEST(VisitPlan, ShowsPhotosInAnotherOrderInAnotherRound) {
  const std::vector<Dataset> datasets{dataset_of({"a", "b", "c", "d", "e", "f", "g", "h"})};
  const auto all = shown(datasets, 0, 16);
  std::vector<std::string> first, second;
  for (std::size_t i = 0; i < 8; ++i) first.push_back(all[i].first), second.push_back(all[8 + i].first);
  EXPECT_NE(first, second);
}

TEST(VisitPlan, WeighsAPhotoTheSameInTrainingsOfOneAndOfTwoDatasets) {
  const std::vector<Dataset> one{dataset_of({"a"})}, two{dataset_of({"r"}), dataset_of({"a"})};
  // The trainer takes the mean over rows: 1 row of weight 1, 2 rows of weight 2.
  EXPECT_EQ(VisitPlan(one, 1, 0).row_weight(0) / 1, VisitPlan(two, 1, 0).row_weight(1) / 2);
}

TEST(VisitPlan, WeighsDatasetsByTheirShare) {
  std::vector<Dataset> two{dataset_of({"r"}), dataset_of({"a"})};
  two[0].share = 0.5;
  two[1].share = 1.5;
  VisitPlan plan(two, 1, 0);
  EXPECT_DOUBLE_EQ(plan.row_weight(1), 3 * plan.row_weight(0));
  EXPECT_DOUBLE_EQ(plan.row_weight(0) + plan.row_weight(1), 4);
}

TEST(StepsPerImage, CountsTheCustomersPhotosOnly) {
  const std::vector<Dataset> datasets{dataset_of({"r1", "r2", "r3"}), dataset_of({"a", "b"}, true)};
  EXPECT_EQ(steps_for(datasets, 200), 400);
}

TEST(StepsPerImage, CountsAPhotoOnceThatStandsInTwoDatasets) {
  const std::vector<Dataset> datasets{dataset_of({"a", "b"}, true), dataset_of({"b", "c"}, true)};
  EXPECT_EQ(steps_for(datasets, 10), 30);
}

TEST(StepsPerImage, CountsRepeatsOfFoldersAndNoMirroredCopies) {
  auto dataset = dataset_of({"a", "b"});
  dataset.repeats = 2;
  dataset.items[0].repeats = 10;
  dataset.items.push_back({"a.mirrored.jpg", sha256("mirrored a"), {}, {}, {}, "", 1});
  dataset.items.back().mirrored = true;
  const std::vector<Dataset> datasets{dataset};
  EXPECT_EQ(steps_for(datasets, 5), 5 * (2 * 10 + 2));
}

TEST(StepsPerImage, CountsAllPhotosWhereNoneIsTheCustomers) {
  auto style = dataset_of({"s1", "s2"});
  style.repeats = 4;
  const std::vector<Dataset> datasets{style};
  EXPECT_EQ(steps_for(datasets, 10), 80);
}

}  // namespace
}  // namespace atelier
