#include "run/events.h"

#include <gtest/gtest.h>

#include "run/event_bus.h"
#include "run/event_log.h"
#include "support/manual_clock.h"
#include "support/memory_files.h"

namespace atelier {
namespace {

const TaskRef anna{7, 2, "person/anna"};
const Digest key = sha256("key");

template <class T>
std::string line(T what) {
  return to_json(Event{1.5, std::move(what)}).dump();
}

// What a report of another version reads: a change here raises events_version.
TEST(Events, AreWrittenInTheWordsOfVersionTwo) {
  ASSERT_EQ(events_version, 2);
  const std::string about = R"(,"time":1.5,"task":"person/anna","id":7,"wave":2,)";
  EXPECT_EQ(
      line(RunStarted{"r-1",
                      "b.yaml",
                      "p.yaml",
                      "/out",
                      "/out/runs/r-1",
                      3,
                      {"cpu:0"},
                      2,
                      8,
                      1,
                      "/cache",
                      {"anna"},
                      {{"steps", "80"}},
                      {{"atelier", "1.0"}}}),
      R"({"event":"run_started","time":1.5,"version":2,"run":"r-1","batch":"b.yaml","pipeline":"p.yaml",)"
      R"("out":"/out","customers":3,"devices":["cpu:0"],"cores":2,"window":8,"threads_per_device":1,"cache":"/cache",)"
      R"("customer_ids":["anna"],"params":{"steps":"80"},"versions":{"atelier":"1.0"}})");
  EXPECT_EQ(line(TaskPlanned{anna, "person", "train", {"anna"}}),
            R"({"event":"task_planned")" + about + R"("step":"person","node":"train","customers":["anna"]})");
  EXPECT_EQ(line(TaskPlanned{anna, "person", "train", {}, true, true, 2.5, {4, 5}}),
            R"({"event":"task_planned")" + about + R"("step":"person","node":"train","customers":[],)" +
                R"("settled":true,"on_device":true,"expected_s":2.5,"after":[4,5]})");
  EXPECT_EQ(line(WaveStarted{1, 9, 4, 3, 1, 1, 2.5}),
            R"({"event":"wave_started","time":1.5,"wave":1,"tasks":9,"to_run":4,"waiting":3,"reused":1,"skipped":1,)"
            R"("guess_s":2.5})");
  EXPECT_EQ(line(TaskStarted{anna, "train", "cpu:0", "new", 1, 1, key, 1, 60.0}),
            R"({"event":"task_started")" + about + R"("node":"train","device":"cpu:0","threads":1,"attempt":1,)" +
                R"("reason":"new","key":")" + key.hex() + R"(","customers":1,"guess_s":60.0})");
  EXPECT_EQ(line(TaskProgress{anna, 0.5, "step 20/40"}),
            R"({"event":"task_progress")" + about + R"("fraction":0.5,"what":"step 20/40"})");
  EXPECT_EQ(line(TaskMetric{anna, "loss", 20, 0.25}),
            R"({"event":"task_metric")" + about + R"("name":"loss","step":20,"value":0.25})");
  EXPECT_EQ(line(TaskWarning{anna, "dark", true}),
            R"({"event":"task_warning")" + about + R"("text":"dark","reused":true})");
  EXPECT_EQ(line(TaskPreview{anna, "first", key, key}), R"({"event":"task_preview")" + about +
                                                            R"("name":"first","digest":")" + key.hex() +
                                                            R"(","key":")" + key.hex() + R"("})");
  EXPECT_EQ(line(TaskFinished{anna, key, 2.0, {{"lora", {key, 10}}}, 1}),
            R"({"event":"task_finished")" + about + R"("key":")" + key.hex() +
                R"(","seconds":2.0,"customers":1,"outputs":{"lora":{"digest":")" + key.hex() +
                R"(","size_bytes":10}}})");
  EXPECT_EQ(line(TaskReused{anna, "reused", key, 3.0, 1, true, "r-0", {"loss"}}),
            R"({"event":"task_reused")" + about + R"("key":")" + key.hex() +
                R"(","reason":"reused","saved_s":3.0,"customers":1,"made_in":"r-0","curves":["loss"]})");
  EXPECT_EQ(line(TaskRetried{anna, "busy", 1, 4.0, false}),
            R"({"event":"task_retried")" + about + R"("message":"busy","attempt":1,"delay_s":4.0,"alone":false})");
  EXPECT_EQ(
      line(TaskFailed{anna, "input", "no image", "logs/x.log", 1}),
      R"({"event":"task_failed")" + about + R"("kind":"input","message":"no image","log":"logs/x.log","customers":1})");
  EXPECT_EQ(line(TaskSkipped{anna, "load/anna failed"}),
            R"({"event":"task_skipped")" + about + R"("reason":"load/anna failed"})");
  EXPECT_EQ(line(TaskStopped{anna, true}), R"({"event":"task_stopped")" + about + R"("started":true})");
  EXPECT_EQ(line(TaskInputLost{anna, "gone"}), R"({"event":"task_input_lost")" + about + R"("message":"gone"})");
  EXPECT_EQ(line(OutputWritten{anna, "anna/x", "new", key, 0.5}), R"({"event":"output_written")" + about +
                                                                      R"("path":"anna/x","reason":"new","digest":")" +
                                                                      key.hex() + R"(","seconds":0.5})");
  EXPECT_EQ(line(CustomerFinished{CustomerFinished::Result::failed, "anna", 3.0, "load/anna", "no image", "l", {"a"}}),
            R"({"event":"customer_finished","time":1.5,"customer":"anna","result":"failed","seconds":3.0,)"
            R"("failed_task":"load/anna","why":"no image","log":"l","outputs":["a"]})");
  EXPECT_EQ(line(StopRequested{2, ""}),
            R"({"event":"stop_requested","time":1.5,"signal":2,"reason":""})");
  EXPECT_EQ(line(RunFinished{1, 9.0}), R"({"event":"run_finished","time":1.5,"exit_code":1,"seconds":9.0})");
}

TEST(EventLog, WritesInGroupsAndFailuresAtOnce) {
  MemoryFiles files;
  const ManualClock clock;
  const auto lines = [&] {
    const auto text = files.text("/run/events.jsonl").value_or("");
    return std::count(text.begin(), text.end(), '\n');
  };
  ASSERT_TRUE(files.make_folders("/run"));
  auto log = EventLog::open(files, "/run/events.jsonl");
  ASSERT_TRUE(log);
  EventBus bus(clock, {log->get()});
  bus.emit(TaskSkipped{anna, "x"});
  EXPECT_EQ(lines(), 0);
  bus.beat();
  EXPECT_EQ(lines(), 1);
  bus.emit(TaskSkipped{anna, "y"});
  bus.emit(TaskFailed{anna, "input", "z", "", 1});
  EXPECT_EQ(lines(), 3);
  bus.emit(TaskSkipped{anna, "last"});
  log->reset();
  EXPECT_EQ(lines(), 4);
}

TEST(EventLog, TakesMessagesThatAreNotUtf8) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folders("/run"));
  auto log = EventLog::open(files, "/run/events.jsonl");
  ASSERT_TRUE(log);
  (*log)->on(Event{0, TaskFailed{anna, "input", "photo \xff.jpg", "", 1}});
  EXPECT_NE(files.text("/run/events.jsonl")->find("photo \xEF\xBF\xBD.jpg"), std::string::npos);
}

TEST(EventLog, KeepsWhatTheDiskHasNoRoomForUntilThereIsRoomAgain) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folders("/run"));
  auto log = EventLog::open(files, "/run/events.jsonl");
  ASSERT_TRUE(log);
  files.set_capacity(1);
  const Event one{0, TaskFailed{anna, "input", "no image", "", 1}}, two{0, TaskSkipped{anna, "load failed"}};
  (*log)->on(one);
  (*log)->on(two);
  EXPECT_FALSE((*log)->broken());
  EXPECT_EQ(files.text("/run/events.jsonl"), "");
  files.set_capacity(10'000);
  (*log)->beat();
  EXPECT_EQ(files.text("/run/events.jsonl"), to_json(one).dump() + '\n' + to_json(two).dump() + '\n');
}

TEST(EventLog, IsGivenUpWhereTheDiskIsFullForLong) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folders("/run"));
  auto log = EventLog::open(files, "/run/events.jsonl");
  ASSERT_TRUE(log);
  files.set_capacity(1);
  for (int i = 0; i < 2; ++i) (*log)->on(Event{0, TaskSkipped{anna, std::string(600'000, 'x')}});
  EXPECT_TRUE((*log)->broken());
}

}  // namespace
}  // namespace atelier
