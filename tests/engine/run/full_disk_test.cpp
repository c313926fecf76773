// A disk that fills up: the run stops itself, keeps what is done, and goes on once there is room.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "run_world.h"

namespace atelier {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST(FullDisk, StopsItselfWhereTheCachesDiskIsFullWithoutTryingAgain) {
  RunWorld world;
  world.store.fail_puts(1, {ErrorKind::disk_full, "/cache/content/1.h5: No space left on device"});
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.summary,
              HasSubstr("the run stopped itself: the disk is full: /cache/content/1.h5: No space left on "
                        "device; make room there; the same command goes on from here\n"));
  EXPECT_THAT(world.recorder.all<TaskFailed>(), IsEmpty());
  EXPECT_THAT(world.recorder.all<StopRequested>().at(0).reason, StartsWith("the disk is full: "));
  EXPECT_EQ(world.run().exit_code, 0);
}

TEST(FullDisk, StopsItselfWhereTheDiskIsFullAndGoesOnOnceThereIsRoom) {
  RunWorld undisturbed, world;
  undisturbed.run();
  world.recorder.look_on = [&](const Event& event) {
    if (const auto* started = event.as<TaskStarted>(); started && started->task.name == "load/ben")
      world.files.fail_next("/studio/ben/one.txt", {ErrorKind::disk_full, "/studio: No space left on device"});
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.summary, HasSubstr("the disk is full: /studio: No space left on device; make room"));
  EXPECT_THAT(world.recorder.all<TaskFailed>(), IsEmpty()) << "the disk failed, no task did";
  EXPECT_THAT(world.recorder.all<TaskRetried>(), IsEmpty());
  world.recorder.look_on = {};
  const auto again = world.run();
  EXPECT_EQ(again.exit_code, 0) << again.summary;
  EXPECT_EQ(world.outputs(), undisturbed.outputs());
}

TEST(FullDisk, StopsItselfBeforeTheDiskIsFullWithItsTrainingsStateKept) {
  RunWorld undisturbed, world;
  undisturbed.run();
  world.ticker = std::make_unique<FastTicker>(world.clock);
  world.probe->on_learn_step = [&](std::int64_t done) {
    if (done != 1) return;
    world.files.set_capacity(100);  // more is used
    while (!world.stop->halted()) std::this_thread::yield();
  };
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.summary, HasSubstr("the run stopped itself: /out: only 0 MB are free, at least 256 MB must be; "
                                        "the same command goes on from here\n"));
  EXPECT_EQ(world.store.checkpoints(), 1U);
  const auto finished = world.recorder.names("task_finished");

  world.files.set_capacity(std::numeric_limits<std::uint64_t>::max());
  world.probe->on_learn_step = {};
  EXPECT_EQ(world.run().exit_code, 0);
  EXPECT_EQ(world.outputs(), undisturbed.outputs());
  for (const auto& task : world.recorder.names("task_finished")) EXPECT_THAT(finished, Not(Contains(task)));
}

TEST(FullDisk, BeginsNothingWhereTooLittleIsFree) {
  RunWorld world;
  world.options.watched_folders = {"/cache"};
  world.options.least_free_bytes = std::uint64_t{3} << 20;
  world.files.set_capacity(2 << 20);
  const auto result = world.run();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.summary, HasSubstr("the run stopped itself: /cache: only 1 MB are free, at least 3 MB must be; "));
  EXPECT_EQ(world.probe->runs(), 0);
}

}  // namespace
}  // namespace atelier
