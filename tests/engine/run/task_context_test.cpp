#include "run/task_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_world.h"

namespace atelier {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

struct Desk {
  MemoryFiles files;
  MemoryStore store;
  ManualClock clock;
  Recorder recorder;
  EventBus events{clock, {&recorder}};
  StopToken stop;
  RunFolder folder{"r-1", "/out/runs/r-1", nullptr};
  Attempt attempt{clock, std::chrono::seconds(60)};
  Digest key = sha256("key");
  TaskContext::Surroundings around{store, files, clock, events, stop, folder};
  std::unique_ptr<TaskContext> context =
      std::make_unique<TaskContext>(around, TaskRef{7, 1, "person/anna"}, key, 3, attempt);
};

TEST(TaskContext, GivesAnEmptyScratchFolderAndRemovesItAfterwards) {
  Desk desk;
  const auto scratch = desk.context->scratch();
  EXPECT_EQ(scratch, desk.context->scratch());
  EXPECT_TRUE(desk.files.exists(scratch));
  desk.files.put(scratch / "half.bin", "x");
  desk.context.reset();
  EXPECT_FALSE(desk.files.exists(scratch));
}

TEST(TaskContext, KeepsPreviewsAndCurvesForTheResultAndTellsThem) {
  Desk desk;
  const std::string png = "png", better = "better png";
  desk.context->preview("step/20", std::as_bytes(std::span(png)));
  desk.context->preview("step/20", std::as_bytes(std::span(better)));
  desk.context->metric("loss", 3, 0.5);
  const auto told = desk.recorder.all<TaskPreview>();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].digest, sha256(better));
  EXPECT_EQ(told[1].key, desk.key);
  const Shown shown = desk.context->shown();
  ASSERT_EQ(shown.previews.size(), 1U);
  EXPECT_EQ(shown.previews[0].digest, sha256(better));
  EXPECT_EQ(shown.curves, (std::map<std::string, Curve>{{"loss", {{3, 0.5}}}}));
}

TEST(TaskContext, KeepsWhatWasShownWithTheCheckpointAndGoesOnFromThere) {
  Desk desk;
  const std::string png = "png";
  desk.context->preview("first", std::as_bytes(std::span(png)));
  desk.context->metric("loss", 1, 0.5);
  ASSERT_TRUE(desk.context->save_checkpoint(text_artifact("half")));
  TaskContext next(desk.around, TaskRef{7, 1, "person/anna"}, desk.key, 3, desk.attempt);
  ASSERT_TRUE(next.load_checkpoint());
  next.metric("loss", 2, 0.25);
  EXPECT_EQ(next.shown().previews.size(), 1U);
  EXPECT_EQ(next.shown().curves.at("loss"), (Curve{{1, 0.5}, {2, 0.25}}));
}

TEST(TaskContext, TellsProgressNoOftenerThanAPersonReads) {
  Desk desk;
  for (int step = 0; step <= 100; ++step) {
    desk.context->progress(step / 100.0, "learning");
    desk.clock.advance(10ms);
  }
  const auto told = desk.recorder.all<TaskProgress>();
  EXPECT_EQ(told.size(), 6U) << "one second of five a second, and the end";
  EXPECT_EQ(told.back().fraction, 1);
}

TEST(TaskContext, KeepsWarningsForTheResult) {
  Desk desk;
  desk.context->warn("dark");
  desk.context->warn("few");
  EXPECT_THAT(desk.context->warnings(), ElementsAre("dark", "few"));
  EXPECT_EQ(desk.recorder.all<TaskWarning>().size(), 2U);
}

TEST(TaskContext, KeepsWhatATaskLogsForItsFailureAlone) {
  Desk desk;
  log_to(*desk.context, "line 1");
  EXPECT_EQ(desk.attempt.log.text(), "line 1\n");
  EXPECT_TRUE(desk.context->warnings().empty());
  desk.attempt.give_up();
  log_to(*desk.context, "line 2");
  EXPECT_EQ(desk.attempt.log.text(), "line 1\n") << "nobody waits for it any more";
}

TEST(TaskContext, KeepsCheckpointsUnderTheTasksKey) {
  Desk desk;
  EXPECT_FALSE(desk.context->used_checkpoints());
  EXPECT_FALSE(desk.context->load_checkpoint());
  ASSERT_TRUE(desk.context->save_checkpoint(text_artifact("half")));
  EXPECT_TRUE(desk.context->used_checkpoints());
  EXPECT_TRUE(desk.store.checkpoint(desk.key));
  EXPECT_TRUE(desk.context->load_checkpoint());
}

TEST(TaskContext, TellsWhoseItsCheckpointsAreBeforeTheFirst) {
  Desk desk;
  int told = 0;
  const auto own = [&]() -> Expected<void> {
    ++told;
    EXPECT_EQ(desk.store.checkpoints(), 0U);
    return {};
  };
  TaskContext context(desk.around, TaskRef{7, 1, "person/anna"}, desk.key, 3, desk.attempt, own);
  ASSERT_TRUE(context.save_checkpoint(text_artifact("half")));
  ASSERT_TRUE(context.save_checkpoint(text_artifact("more")));
  EXPECT_EQ(told, 1);
}

TEST(TaskContext, SavesNoCheckpointThatNobodyOwns) {
  Desk desk;
  const auto own = []() -> Expected<void> { return failure("the ledger says no"); };
  TaskContext context(desk.around, TaskRef{7, 1, "person/anna"}, desk.key, 3, desk.attempt, own);
  EXPECT_EQ(context.save_checkpoint(text_artifact("half")).error().message, "the ledger says no");
  EXPECT_EQ(desk.store.checkpoints(), 0U);
}

TEST(TaskContext, HeedsTheStopOfTheRun) {
  Desk desk;
  EXPECT_FALSE(desk.context->stop_requested());
  desk.stop.request(15);
  EXPECT_TRUE(desk.context->stop_requested());
  EXPECT_EQ(desk.context->threads(), 3);
}

TEST(StepLog, KeepsTheFirstAndTheLastLines) {
  StepLog log;
  for (int i = 0; i < 1000; ++i) log.add("line " + std::to_string(i));
  const auto text = log.text();
  EXPECT_TRUE(text.starts_with("line 0\n"));
  EXPECT_NE(text.find("line 99\n… 500 lines left out …\nline 600\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("line 999\n"));
}

TEST(RunFolder, GetsItsNameFromTheTimeAndANumberThatIsFree) {
  MemoryFiles files;
  const ManualClock clock;
  for (const char* name : {"20231114T221320Z-1", "20231114T221320Z-2"}) {
    const auto folder = open_run_folder(files, clock, "/out");
    ASSERT_TRUE(folder);
    EXPECT_EQ(folder->name, name);
    EXPECT_EQ(folder->events(), std::filesystem::path("/out/runs") / name / "events.jsonl");
  }
}

TEST(RunFolder, NamesFilesAfterTasksWithoutSlashesOrSpaces) {
  EXPECT_EQ(file_name_of("output lora/anna"), "output-lora+anna");
}

TEST(RunFolder, RemovesTheScratchOfARunThatWasKilled) {
  MemoryFiles files;
  const ManualClock clock;
  files.put("/out/runs/20230101T000000Z-1/scratch/1-7-abc/half.bin", "x");
  files.put("/out/runs/20230101T000000Z-1/events.jsonl", "{}");
  ASSERT_TRUE(open_run_folder(files, clock, "/out"));
  EXPECT_FALSE(files.exists("/out/runs/20230101T000000Z-1/scratch"));
  EXPECT_TRUE(files.exists("/out/runs/20230101T000000Z-1/events.jsonl"));
}

TEST(TaskContext, IsToStopOnceItsTimeIsOver) {
  Desk desk;
  desk.clock.advance(std::chrono::seconds(60));
  EXPECT_FALSE(desk.context->stop_requested());
  desk.clock.advance(std::chrono::seconds(1));
  EXPECT_TRUE(desk.context->stop_requested());
}

TEST(TaskContext, CountsWhateverTheTaskAsksOrTellsAsASignOfLife) {
  Desk desk;
  const std::vector<std::function<void(TaskContext&)>> signs{
      [](TaskContext& c) { (void)c.stop_requested(); },
      [](TaskContext& c) { c.progress(0.5, "half"); },
      [](TaskContext& c) { c.metric("loss", 1, 0.5); },
      [](TaskContext& c) { c.warn("dark"); },
      [](TaskContext& c) { (void)c.load_checkpoint(); },
      [](TaskContext& c) { (void)c.save_checkpoint(text_artifact("half")); }};
  for (const auto& sign : signs) {
    desk.clock.advance(std::chrono::seconds(5));
    EXPECT_EQ(desk.attempt.silent_for(), std::chrono::seconds(5));
    sign(*desk.context);
    EXPECT_EQ(desk.attempt.silent_for(), std::chrono::seconds(0));
  }
}

TEST(TaskContext, TellsNothingOnceNobodyWaitsForTheTask) {
  Desk desk;
  desk.attempt.give_up();
  desk.context->progress(0.5, "half");
  desk.context->metric("loss", 1, 0.5);
  desk.context->warn("dark");
  EXPECT_TRUE(desk.recorder.events.empty());
  EXPECT_TRUE(desk.context->stop_requested());
}

}  // namespace
}  // namespace atelier
