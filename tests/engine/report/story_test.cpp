#include "report/story.h"

#include <gtest/gtest.h>

#include "report/lanes.h"
#include "report/trace.h"
#include "told_run.h"

namespace atelier {
namespace {

RunStory story_of(ToldRun& run) { return run.read().story; }

TEST(RunStory, FollowsATaskThroughARetryToItsEnd) {
  ToldRun run;
  run.plan(0, "load", "load", {"anna"});
  run.start(1, 0, "load/anna", "load", "cpu");
  run.tell(2, TaskRetried{{0, 1, "load/anna"}, "busy", 1, 4, false});
  run.start(6, 0, "load/anna", "load", "cpu");
  run.finish(8, 0, "load/anna", 2);
  const RunStory story = story_of(run);
  ASSERT_EQ(story.tasks.size(), 1U);
  EXPECT_EQ(story.tasks[0].state, TaskState::finished);
  EXPECT_EQ(story.tasks[0].bytes, 1'500'000U);
  ASSERT_EQ(story.spans.size(), 2U);
  EXPECT_EQ(story.spans[0].ended, TaskState::failed);
  EXPECT_EQ(story.spans[1].to_s, 8);
}

TEST(RunStory, LetsWhatStillRunsLastUntilTheLastEvent) {
  ToldRun run;
  run.start(1, 0, "load/anna", "load", "cpu");
  run.tell(5, TaskProgress{{0, 1, "load/anna"}, 0.5, "one.jpg"});
  const RunStory story = story_of(run);
  EXPECT_EQ(story.tasks[0].state, TaskState::running);
  EXPECT_EQ(story.spans[0].to_s, 5);
  EXPECT_FALSE(story.end);
}

TEST(RunStory, KnowsTheSameWorkInAnotherWaveByItsName) {
  ToldRun run;
  run.plan(0, "load", "load", {"anna"});
  run.tell(1, TaskInputLost{{0, 1, "load/anna"}, "gone"});
  run.tell(2, WaveStarted{.wave = 2});
  run.tell(2, TaskPlanned{{5, 2, "load/anna"}, "load", "load", {"anna"}});
  run.finish(3, 5, "load/anna", 1);
  const RunStory story = story_of(run);
  ASSERT_EQ(story.tasks.size(), 1U);
  EXPECT_EQ(story.tasks[0].state, TaskState::finished);
  EXPECT_EQ(story.waves, 2);
}

TEST(Lanes, GiveTasksThatRanSideBySideRowsOfTheirOwn) {
  ToldRun run;
  run.start(0, 0, "a", "load", "cpu");
  run.start(1, 1, "b", "load", "cpu");
  run.start(1, 2, "t", "train", "cpu:0");
  run.finish(2, 0, "a", 2);
  run.start(3, 3, "c", "load", "cpu");
  for (std::uint32_t id = 1; id < 4; ++id) run.finish(4, id, std::string(1, "abtc"[id == 3 ? 3 : id]), 1);
  const RunStory story = story_of(run);
  const auto lanes = lanes_of(story);
  ASSERT_EQ(lanes.size(), 2U);
  EXPECT_EQ(lanes[0].device, "cpu:0");
  ASSERT_EQ(lanes[1].rows.size(), 2U);
  EXPECT_EQ(lanes[1].rows[0].size(), 2U) << "a, then c";
  EXPECT_EQ(lanes[1].busy_s, 4);
}

TEST(Trace, HasACompleteEventForEachTaskOnItsDevice) {
  ToldRun run;
  run.start(1, 0, "load/anna", "load", "cpu");
  run.finish(3, 0, "load/anna", 2);
  const auto trace = trace_json(story_of(run));
  const auto& events = trace["traceEvents"];
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0]["args"]["name"], "cpu");
  EXPECT_EQ(events[1]["name"], "load/anna");
  EXPECT_EQ(events[1]["ts"], 1e6);
  EXPECT_EQ(events[1]["dur"], 2e6);
}

TEST(ThinCurve, HoldsNoMoreThanAChartShows) {
  ThinCurve curve;
  for (int step = 0; step < 100'000; ++step) curve.add(step, step % 2);
  EXPECT_LE(curve.points().size(), ThinCurve::most_points);
  EXPECT_NEAR(curve.points().front().value, 0.5, 1e-9);
  EXPECT_EQ(curve.lowest(), 0);
}

TEST(ThinCurve, ReplacesWhatATrainingDoesAgainAndCountsWhatIsNotFinite) {
  ThinCurve curve;
  for (int step = 0; step < 5; ++step) curve.add(step, 1);
  curve.add(3, 0.5);
  curve.add(4, std::numeric_limits<double>::quiet_NaN());
  ASSERT_EQ(curve.points().size(), 4U);
  EXPECT_EQ(curve.points().back(), (CurvePoint{3, 0.5}));
  EXPECT_EQ(curve.not_finite(), 1U);
}

}  // namespace
}  // namespace atelier
