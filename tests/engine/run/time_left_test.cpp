#include "run/time_left.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

TaskAhead training(double left_s, std::vector<std::uint32_t> dependents = {}) {
  return {.left_s = left_s, .on_device = true, .dependents = std::move(dependents)};
}
TaskAhead running(double left_s) { return {.left_s = left_s, .on_device = true, .runs = true}; }
TaskAhead on_cpu(double left_s, std::vector<std::uint32_t> dependents = {}) {
  return {.left_s = left_s, .dependents = std::move(dependents)};
}

TEST(TimeLeft, IsNoneOfANightThatIsOver) { EXPECT_EQ(time_left_s({}), 0); }

TEST(TimeLeft, SpreadsTrainingsOverTheDevices) {
  EXPECT_EQ(time_left_s({{training(10), training(10), training(10), training(10)}, 1}), 40);
  EXPECT_EQ(time_left_s({{training(10), training(10), training(10), training(10)}, 2}), 20);
  EXPECT_EQ(time_left_s({{training(10), training(10), training(10)}, 2}), 20) << "a device stands idle at the end";
}

TEST(TimeLeft, StartsTheLongestRemainingPathFirst) {
  // 1, 1 and 4: with the long one last it would be 5.
  EXPECT_EQ(time_left_s({{training(1), training(1), training(4)}, 2}), 4);
  // The short one that much waits for goes before the long one.
  EXPECT_EQ(time_left_s({{training(3), training(1, {2}), on_cpu(5)}, 1}), 6);
}

TEST(TimeLeft, GivesADeviceFreeOnlyWhenWhatRunsThereEnds) {
  EXPECT_EQ(time_left_s({{running(7), training(10)}, 1}), 17);
  EXPECT_EQ(time_left_s({{running(7), running(2), training(10)}, 2}), 12);
}

TEST(TimeLeft, LetsTheCpuWorkBesideTheDevices) {
  EXPECT_EQ(time_left_s({{training(10), on_cpu(4), on_cpu(4)}, 1, 1}), 10);
  EXPECT_EQ(time_left_s({{training(1), on_cpu(4), on_cpu(4)}, 1, 1}), 8);
  EXPECT_EQ(time_left_s({{training(1), on_cpu(4), on_cpu(4)}, 1, 2}), 4);
}

TEST(TimeLeft, WaitsForWhatComesBefore) {
  EXPECT_EQ(time_left_s({{on_cpu(2, {1}), training(5, {2}), on_cpu(3)}, 1}), 10);
  EXPECT_EQ(time_left_s({{on_cpu(2, {2}), on_cpu(6, {2}), training(5)}, 1, 2}), 11);
}

TEST(TimeLeft, IsALowerBoundWhereThereAreVeryManyTasks) {
  NightAhead night{.devices = 2};
  for (int i = 0; i < 30'000; ++i) night.tasks.push_back(training(1));
  EXPECT_EQ(time_left_s(night), 15'000);
  night.tasks.front() = training(1, {1});
  night.tasks[1] = training(40'000);
  EXPECT_EQ(time_left_s(night), 40'001) << "the longest path";
}

}  // namespace
}  // namespace atelier
