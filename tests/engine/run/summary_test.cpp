#include "run/summary.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

template <class T>
void tell(Observer& observer, T what, double time_s = 0) {
  observer.on(Event{time_s, std::move(what)});
}

TEST(Summary, TellsWhoSucceededWhoFailedAndWhy) {
  Summary summary;
  tell(summary, RunStarted{.run = "r-1", .folder = "out/runs/r-1"});
  tell(summary, WaveStarted{});
  tell(summary, TaskWarning{{0, 1, "load/anna"}, "photo_4.jpg: is cut short, left out"});
  tell(summary, TaskFinished{.task = {0, 1, "load/anna"}, .customers = 1});
  tell(summary, TaskReused{.task = {1, 1, "look"}, .key = Digest{}, .saved_s = 75, .customers = 3});
  tell(summary, OutputWritten{});
  tell(summary, TaskReused{.task = {5, 1, "output look"}});
  tell(summary, TaskRetried{});
  tell(summary, CustomerFinished{CustomerFinished::Result::failed, "ben", 3, "load/ben",
                                 "none of the 4 files is an image", "logs/load+ben.log"});
  tell(summary, CustomerFinished{CustomerFinished::Result::succeeded, "anna", 72});
  tell(summary, TaskFailed{{7, 1, "output look"}, "input", "style.txt: is taken", "", 0});
  tell(summary, RunFinished{1, 7325});
  EXPECT_EQ(summary.text(),
            "warning: load/anna: photo_4.jpg: is cut short, left out\n"
            "anna: succeeded after 1 min 12 s\n"
            "ben: failed at load/ben: none of the 4 files is an image\n"
            "  log: out/runs/r-1/logs/load+ben.log\n"
            "output look: failed: style.txt: is taken\n"
            "1 customer succeeded, 1 failed\n"
            "tasks: 1 run, 1 reused, 1 of them shared by customers, 1 tried again\n"
            "outputs: 1 written, 1 up to date\n"
            "took 2 h 2 min, reuse saved 1 min 15 s; record: out/runs/r-1\n");
}

TEST(Summary, TellsThatTheRunStoppedItself) {
  Summary summary;
  tell(summary, RunStarted{.folder = "out/runs/r-1"});
  tell(summary, WaveStarted{});
  tell(summary, TaskStopped{{0, 1, "person/anna"}, true});
  tell(summary, CustomerFinished{CustomerFinished::Result::stopped, "anna"});
  tell(summary, StopRequested{0, "out: only 100 MB are free, at least 256 MB must be"});
  tell(summary, RunFinished{4, 2});
  EXPECT_EQ(summary.text(),
            "anna: stopped, goes on in the next run\n"
            "0 customers succeeded\n"
            "tasks: 0 run, 0 reused, 0 of them shared by customers\n"
            "outputs: 0 written, 0 up to date\n"
            "the run stopped itself: out: only 100 MB are free, at least 256 MB must be; the same command goes on from "
            "here\n"
            "took 2.0 s; record: out/runs/r-1\n");
}

TEST(Summary, ListsOfManyCustomersOnlyThoseThatFailed) {
  Summary summary;
  tell(summary, WaveStarted{});
  tell(summary, OutputWritten{});
  for (int i = 0; i < 30; ++i)
    tell(summary, CustomerFinished{CustomerFinished::Result::succeeded, "c" + std::to_string(i)});
  tell(summary, CustomerFinished{CustomerFinished::Result::failed, "ben", 3, "load/ben", "no image"});
  EXPECT_TRUE(summary.text().starts_with("ben: failed at load/ben: no image\n30 customers succeeded, 1 failed\n"));
}

TEST(Summary, TellsOnceWhatManyCustomersFailedOf) {
  Summary summary;
  tell(summary, RunStarted{.folder = "out/runs/r-1"});
  tell(summary, WaveStarted{});
  for (int i = 10; i < 22; ++i) {
    const std::string id = "c" + std::to_string(i);
    tell(summary, CustomerFinished{CustomerFinished::Result::failed, id, 3, "person/" + id, "the GPU is gone",
                                   "logs/person+" + id + ".log"});
  }
  tell(summary, CustomerFinished{CustomerFinished::Result::failed, "anna", 3, "load/anna", "no image"});
  tell(summary, CustomerFinished{CustomerFinished::Result::failed, "zoe", 3, "load/zoe", "the GPU is gone"});
  EXPECT_TRUE(
      summary.text().starts_with("anna: failed at load/anna: no image\n"
                                 "12 customers failed at person: the GPU is gone\n"
                                 "  c10, c11, c12, c13, c14, c15, c16, c17, c18, c19 and 2 more\n"
                                 "  log: out/runs/r-1/logs/person+c10.log\n"
                                 "zoe: failed at load/zoe: the GPU is gone\n"))
      << summary.text();
}

}  // namespace
}  // namespace atelier
