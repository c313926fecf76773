#include "run/night_watch.h"

#include <gtest/gtest.h>

#include <cmath>

#include <fmt/format.h>

#include "simulated_night.h"

namespace atelier {
namespace {

using Task = SimulatedNight::Task;

struct Estimate {
  double at_s = 0, left_s = 0;
};

// What the watch said in the course of a night, and how long that took.
std::pair<std::vector<Estimate>, double> watched(SimulatedNight night) {
  NightWatch watch;
  std::vector<Estimate> said;
  const double took_s = night.run([&](const Event& event) { watch.on(event); },
                                  [&](double at_s) {
                                    if (const auto left_s = watch.view().left_s) said.push_back({at_s, *left_s});
                                  });
  return {said, took_s};
}

// From the middle of the night on every estimate is within a fifth of what was left then; at the very end, where a
// fifth is seconds, within a fiftieth of the night.
void expect_right_from_the_middle_on(const std::vector<Estimate>& said, double took_s) {
  std::size_t checked = 0;
  for (const auto& [at_s, left_s] : said) {
    if (at_s < took_s / 2) continue;
    ++checked;
    const double left = took_s - at_s;
    EXPECT_LE(std::abs(left_s - left), std::max(0.2 * left, took_s / 50))
        << "at " << at_s << " of " << took_s << " s, " << left << " were left and it said " << left_s;
  }
  EXPECT_GE(static_cast<double>(checked), took_s / 2 - 1) << "it said something every second";
}

// Trainings whose lengths differ by up to half from one customer to the next.
std::vector<Task> customers(int count, double wrong_by, std::vector<Task> tasks = {}) {
  const auto add = [&](Task task) {
    task.expected_s = task.seconds * wrong_by;
    tasks.push_back(std::move(task));
    return static_cast<std::uint32_t>(tasks.size() - 1);
  };
  for (int i = 0; i < count; ++i) {
    const double differs = 0.75 + 0.5 * ((i * 7) % 11) / 10.0;
    const auto load = add({fmt::format("load/{}", i), "load", 5, 0, false, {}});
    const auto person = add({fmt::format("person/{}", i), "train", 120 * differs, 0, true, {load}});
    const auto backdrop = add({fmt::format("backdrop/{}", i), "train", 110 * differs, 0, true, {load}});
    const auto model = add({fmt::format("model/{}", i), "fuse", 3, 0, false, {person, backdrop}});
    add({fmt::format("pictures/{}", i), "sample", 30, 0, true, {model}});
  }
  return tasks;
}

TEST(NightWatch, IsRightFromTheMiddleOfANightWhoseTasksTakeWhatEarlierOnesTook) {
  const auto [said, took_s] = watched(SimulatedNight(customers(20, 1), 1));
  expect_right_from_the_middle_on(said, took_s);
}

TEST(NightWatch, IsRightFromTheMiddleWhereTheExpectationWasFarOff) {
  for (const double wrong_by : {0.1, 8.0}) {
    const auto [said, took_s] = watched(SimulatedNight(customers(20, wrong_by), 1));
    expect_right_from_the_middle_on(said, took_s);
  }
}

TEST(NightWatch, IsRightFromTheMiddleWhereTrainingsSlowEachOtherDown) {
  const auto [said, took_s] = watched(SimulatedNight(customers(20, 1), 0.6));
  expect_right_from_the_middle_on(said, took_s);
}

TEST(NightWatch, IsRightFromTheMiddleOfANightWithOneLongTraining) {
  const auto tasks = customers(10, 1, {{"look", "train", 1500, 1500, true, {}}});
  const auto [said, took_s] = watched(SimulatedNight(tasks, 1));
  expect_right_from_the_middle_on(said, took_s);
}

// Events of one training.
class ATraining : public ::testing::Test {
 protected:
  ATraining() {
    tell(RunStarted{.customers = 2, .devices = {"cpu:0"}, .cores = 2});
    tell(WaveStarted{.tasks = 2, .to_run = 2});
    tell(TaskPlanned{.task = person, .node = "train", .on_device = true, .expected_s = 500});
    tell(TaskPlanned{.task = {1, 1, "person/ben"}, .node = "train", .on_device = true, .expected_s = 500});
    tell(TaskStarted{.task = person, .node = "train", .device = "cpu:0"});
  }
  template <class T>
  void tell(T what) {
    watch.on(Event{now_s, std::move(what)});
  }
  void go_on(double seconds, double fraction_per_s) {
    for (int i = 0; i < seconds; ++i) {
      now_s += 1;
      fraction += fraction_per_s;
      tell(TaskProgress{person, fraction, "step"});
    }
  }
  const TaskRef person{0, 1, "person/anna"};
  NightWatch watch;
  double now_s = 100, fraction = 0;
};

TEST_F(ATraining, IsTakenAtItsRecentPace) {
  go_on(100, 0.001);
  EXPECT_NEAR(watch.view().running.at(0).left_s.value(), 900, 1);
  go_on(80, 0.005);
  EXPECT_NEAR(watch.view().running.at(0).left_s.value(), 100, 1) << "its neighbour has ended";
}

TEST_F(ATraining, SaysWhatTheNextOneWillTake) {
  go_on(100, 0.001);
  EXPECT_NEAR(watch.view().left_s.value(), 900 + 1000, 2) << "twice as long as was expected, as this one";
}

TEST_F(ATraining, IsShownWithItsFirstMetricAndStepsPerSecond) {
  for (int step = 0; step < 5; ++step) {
    now_s += 2;
    tell(TaskMetric{person, "loss", step, 0.5 - 0.1 * step});
    tell(TaskMetric{person, "gradient_norm", step, 3});
    tell(TaskProgress{person, 0.01 * (step + 1), fmt::format("step {}/100", step + 1)});
  }
  const RunningTask shown = watch.view().running.at(0);
  EXPECT_EQ(shown.name, "person/anna");
  EXPECT_EQ(shown.device, "cpu:0");
  EXPECT_EQ(shown.what, "step 5/100");
  EXPECT_EQ(shown.metric, "loss");
  EXPECT_NEAR(shown.value, 0.1, 1e-9);
  EXPECT_NEAR(shown.steps_per_s.value(), 0.5, 1e-9);
}

TEST_F(ATraining, ThatIsTriedAgainIsAheadAgain) {
  go_on(100, 0.002);
  const double before_s = watch.view().left_s.value();
  tell(TaskRetried{.task = person});
  EXPECT_TRUE(watch.view().running.empty());
  now_s += 2;
  tell(TaskStarted{.task = person, .node = "train", .device = "cpu:0"});
  EXPECT_GT(watch.view().left_s.value(), before_s);
}

TEST_F(ATraining, OfANightThatIsBeingStoppedHasNoTimeLeft) {
  go_on(100, 0.002);
  tell(StopRequested{2, ""});
  EXPECT_EQ(watch.view().left_s, std::nullopt);
}

TEST_F(ATraining, SaysNothingOfTheNightInItsFirstSeconds) {
  go_on(2, 0.001);
  EXPECT_EQ(watch.view().left_s, std::nullopt);
}

TEST_F(ATraining, CountsCustomersAndTasksThatAreDone) {
  tell(TaskFinished{.task = person, .seconds = 5});
  tell(CustomerFinished{CustomerFinished::Result::succeeded, "anna"});
  tell(TaskFailed{.task = {1, 1, "person/ben"}});
  tell(CustomerFinished{CustomerFinished::Result::failed, "ben"});
  const NightView view = watch.view();
  EXPECT_EQ(view.tasks_done, 2U);
  EXPECT_EQ(view.tasks, 2U);
  EXPECT_EQ(view.customers_done, 2U);
  EXPECT_EQ(view.customers_failed, 1U);
  EXPECT_TRUE(view.running.empty());
}

TEST(NightView, AsJsonLeavesOutWhatIsNotKnown) {
  NightView view{.customers = 3, .customers_done = 1, .tasks = 9, .tasks_done = 4};
  view.running = {{.name = "load/ben", .device = "cpu"}};
  EXPECT_EQ(to_json(view).dump(), R"({"customers":3,"customers_done":1,"customers_failed":0,"tasks":9,"tasks_done":4,)"
                                  R"("running":[{"task":"load/ben","device":"cpu"}]})");
  view.left_s = 12.5;
  view.running = {{"person/anna", "cuda:0", "step 4/8", "loss", 0.25, 2.0, 2.5}};
  EXPECT_EQ(to_json(view).dump(),
            R"({"customers":3,"customers_done":1,"customers_failed":0,"tasks":9,"tasks_done":4,"left_s":12.5,)"
            R"("running":[{"task":"person/anna","device":"cuda:0","what":"step 4/8","metric":"loss","value":0.25,)"
            R"("steps_per_s":2.0,"left_s":2.5}]})");
}

}  // namespace
}  // namespace atelier
