#include "report/run_record.h"

#include <gtest/gtest.h>

#include "told_run.h"

namespace atelier {
namespace {

const TaskRef anna{7, 2, "person/anna"};
const Digest key = sha256("key");

std::vector<Event> every_event() {
  return {{1, RunStarted{.run = "r-1",
                         .batch = "b",
                         .pipeline = "p",
                         .out = "/out",
                         .customers = 1,
                         .devices = {"cpu:0"},
                         .cores = 2,
                         .window = 8,
                         .threads_per_device = 3,
                         .cache = "/c",
                         .customer_ids = {"anna"},
                         .params = {{"a", "1"}},
                         .versions = {{"x", "2"}}}},
          {2, WaveStarted{1, 9, 4, 3, 1, 1, 2.5}},
          {2, TaskPlanned{anna, "person", "train", {"anna"}, true, true, 2.5, {4, 5}}},
          {2, TaskStarted{anna, "train", "cpu:0", "new", 1, 2, key, 1, 60.0}},
          {2, TaskProgress{anna, 0.5, "step"}},
          {2, TaskMetric{anna, "loss", 20, 0.25}},
          {2, TaskWarning{anna, "dark", true}},
          {2, TaskPreview{anna, "first", key, key}},
          {2, TaskFinished{anna, key, 2.0, {{"lora", {key, 10}}}, 1}},
          {2, TaskReused{anna, "reused", key, 3.0, 1, true, "r-0", {"loss"}}},
          {2, TaskRetried{anna, "busy", 1, 4.0, true}},
          {2, TaskFailed{anna, "input", "no image", "logs/x.log", 1}},
          {2, TaskSkipped{anna, "load failed"}},
          {2, TaskStopped{anna, true}},
          {2, TaskInputLost{anna, "gone"}},
          {2, OutputWritten{anna, "anna/x", "new", key, 0.5}},
          {2, CustomerFinished{CustomerFinished::Result::failed, "anna", 3.0, "load", "no image", "l", {"a"}}},
          {2, StopRequested{2, "why"}},
          {3, RunFinished{1, 9.0}}};
}

std::string opening() { return to_json(every_event().front()).dump() + "\n"; }

TEST(RunRecord, GivesBackEveryEventAsItWasTold) {
  std::string text;
  for (const auto& event : every_event()) text += to_json(event).dump() + "\n";
  std::string again;
  const auto facts = read_record(text, [&](const Event& event) { again += to_json(event).dump() + "\n"; });
  ASSERT_TRUE(facts);
  EXPECT_EQ(again, text);
  EXPECT_EQ(every_event().size(), std::variant_size_v<decltype(Event::what)>) << "an event is missing in this test";
  EXPECT_FALSE(facts->torn);
}

TEST(RunRecord, EndsBeforeALineThatIsCutOff) {
  std::size_t seen = 0;
  const auto facts = read_record(opening() + R"({"event":"task_start)", [&](const Event&) { ++seen; });
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->torn);
  EXPECT_EQ(facts->unread, 0U);
  EXPECT_EQ(seen, 1U);
}

TEST(RunRecord, PassesOverWhatALaterVersionAddsAndCountsWhatIsDamaged) {
  std::size_t seen = 0;
  const auto facts = read_record(opening() + "{\"event\":\"task_dreamt\",\"time\":2}\n\xff\xff\n[1]\n" +
                                     "{\"event\":\"run_finished\",\"time\":3,\"exit_code\":\"what\",\"mood\":1}\n",
                                 [&](const Event&) { ++seen; });
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->unread, 2U);
  EXPECT_EQ(seen, 2U);
}

TEST(RunRecord, IsRefusedWhereItIsNoneOrNewer) {
  const auto none = read_record("hello\n", [](const Event&) {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "it does not begin with the start of a run");
  const auto newer = read_record("{\"event\":\"run_started\",\"version\":99}\n", [](const Event&) {});
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().message, "it is of version 99 of the events, this program knows up to 2; use a newer one");
}

}  // namespace
}  // namespace atelier
