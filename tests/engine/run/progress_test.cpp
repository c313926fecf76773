#include "run/progress.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

// Tells a short night to a display and gives back all that it wrote.
std::string told(const Progress::Style& style) {
  std::string out;
  Progress progress(style, [&](std::string_view text) { out += text; });
  double now = 100;
  const auto tell = [&](auto what) {
    progress.on(Event{now, std::move(what)});
    progress.beat();
  };
  tell(RunStarted{.customers = 2, .devices = {"cpu:0"}});
  tell(WaveStarted{.tasks = 2, .to_run = 1, .waiting = 1});
  progress.on(
      Event{now, TaskPlanned{.task = {0, 1, "person/anna"}, .node = "train", .on_device = true, .expected_s = 50}});
  tell(TaskStarted{.task = {0, 1, "person/anna"}, .node = "train", .device = "cpu:0", .reason = "new"});
  now = 105;
  progress.on(Event{now, TaskProgress{{0, 1, "person/anna"}, 0.25, "step 10/40"}});
  now = 110;
  tell(TaskMetric{{0, 1, "person/anna"}, "loss", 20, 0.12345});
  tell(TaskProgress{{0, 1, "person/anna"}, 0.5, "step 20/40"});
  tell(TaskWarning{{0, 1, "person/anna"}, "the photos are dark"});
  now = 120;
  tell(TaskFinished{.task = {0, 1, "person/anna"}, .seconds = 20});
  tell(TaskFailed{{1, 1, "load/ben"}, "input", "no image"});
  tell(CustomerFinished{CustomerFinished::Result::succeeded, "anna"});
  tell(RunFinished{1, 20});
  return out;
}

TEST(Progress, WritesPlainLinesWhereItIsPiped) {
  EXPECT_EQ(told({}),
            "person/anna: started on cpu:0 (new)\n"
            "person/anna: warning: the photos are dark\n"
            "person/anna: done in 20.0 s\n"
            "load/ben: failed: no image\n"
            "anna: finished\n");
}

TEST(Progress, SaysNowAndThenHowFarItIsWhereItIsPiped) {
  std::string out;
  Progress progress({}, [&](std::string_view text) { out += text; });
  progress.on(Event{0, RunStarted{.customers = 2, .devices = {"cuda:0"}}});
  progress.on(Event{0, WaveStarted{.tasks = 3, .to_run = 3}});
  progress.on(
      Event{0, TaskPlanned{.task = {0, 1, "person/anna"}, .node = "train", .on_device = true, .expected_s = 900}});
  progress.on(Event{0, TaskStarted{.task = {0, 1, "person/anna"}, .device = "cuda:0", .reason = "new"}});
  out.clear();
  for (int second = 1; second <= 650; ++second) {
    progress.on(Event{1.0 * second, TaskMetric{{0, 1, "person/anna"}, "loss", 2 * second, 0.5}});
    progress.on(Event{1.0 * second, TaskProgress{{0, 1, "person/anna"}, second / 1000.0, "step"}});
    progress.beat();
  }
  EXPECT_EQ(out,
            "0/2 customers, 0/3 tasks, about 11 min 40 s left\n"
            "cuda:0 person/anna, step, 2.0 steps/s, loss 0.5000, 11 min 40 s left\n"
            "0/2 customers, 0/3 tasks, about 6 min 40 s left\n"
            "cuda:0 person/anna, step, 2.0 steps/s, loss 0.5000, 6 min 40 s left\n");
}

TEST(Progress, DrawsItsLinesAnewOnATerminal) {
  const std::string one = "\r\x1b[J", two = "\x1b[1A\r\x1b[J";  // erases so many lines
  EXPECT_EQ(told({.terminal = true, .columns = 200}),
            "0/2 customers, 0/0 tasks" + one +                                                                     //
                "0/2 customers, 0/2 tasks" + one +                                                                 //
                "0/2 customers, 0/2 tasks\ncpu:0 person/anna" + two +                                              //
                "0/2 customers, 0/2 tasks, about 40.0 s left\ncpu:0 person/anna, step 10/40, loss 0.1235" + two +  //
                "0/2 customers, 0/2 tasks, about 40.0 s left\ncpu:0 person/anna, step 20/40, loss 0.1235, 10.0 s left" +
                two + "person/anna: warning: the photos are dark\n" +
                "0/2 customers, 0/2 tasks, about 40.0 s left\ncpu:0 person/anna, step 20/40, loss 0.1235, 10.0 s left" +
                two +  //
                "0/2 customers, 1/2 tasks" + one + "load/ben: failed: no image\n" + "0/2 customers, 2/2 tasks" + one +
                "anna: finished\n" + "1/2 customers, 2/2 tasks" + one);
}

TEST(Progress, ColoursOnlyWhereItMay) {
  EXPECT_EQ(told({.terminal = true, .colour = false}).find("\x1b[3"), std::string::npos);
  EXPECT_NE(told({.terminal = true, .colour = true}).find("\x1b[31mload/ben: failed: no image\x1b[0m\n"),
            std::string::npos);
}

TEST(Progress, FitsItsLinesToTheTerminal) {
  const auto text = told({.terminal = true, .columns = 40});
  EXPECT_NE(text.find("0/2 customers, about 40.0 s left\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace atelier
