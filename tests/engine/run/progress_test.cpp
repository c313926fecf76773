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
  tell(RunStarted{.customers = 2});
  tell(WaveStarted{.tasks = 4, .to_run = 1, .waiting = 3, .guess_s = 100});
  tell(TaskStarted{.task = {0, 1, "person/anna"}, .node = "train", .device = "cpu:0", .reason = "new", .guess_s = 50});
  now = 110;
  tell(TaskMetric{{0, 1, "person/anna"}, "loss", 20, 0.12345});
  progress.on(Event{now, TaskMetric{{0, 1, "person/anna"}, "gradient_norm", 20, 3}});
  tell(TaskProgress{{0, 1, "person/anna"}, 0.5, "step 20/40"});
  tell(TaskWarning{{0, 1, "person/anna"}, "the photos are dark"});
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

TEST(Progress, DrawsOneLineAnewOnATerminal) {
  const std::string erase = "\r\x1b[2K";
  EXPECT_EQ(told({.terminal = true, .columns = 200}),
            erase + "0/2 customers, 0/0 tasks" +                                                             //
                erase + "0/2 customers, 0/4 tasks" +                                                         //
                erase + "0/2 customers, 0/4 tasks, person/anna" +                                            //
                erase + "0/2 customers, 0/4 tasks, person/anna loss 0.1235" +                                //
                erase + "0/2 customers, 0/4 tasks, person/anna step 20/40 loss 0.1235, about 30.0 s left" +  //
                erase + "person/anna: warning: the photos are dark\n" + erase +
                "0/2 customers, 0/4 tasks, person/anna step 20/40 loss 0.1235, about 30.0 s left" +  //
                erase + "0/2 customers, 1/4 tasks, about 10.0 s left" + erase + "load/ben: failed: no image\n" + erase +
                "0/2 customers, 2/4 tasks, about 10.0 s left" + erase + "anna: finished\n" + erase +
                "1/2 customers, 2/4 tasks, about 10.0 s left" + erase);
}

TEST(Progress, ColoursOnlyWhereItMay) {
  EXPECT_EQ(told({.terminal = true, .colour = false}).find("\x1b[3"), std::string::npos);
  EXPECT_NE(told({.terminal = true, .colour = true}).find("\x1b[31mload/ben: failed: no image\x1b[0m\n"),
            std::string::npos);
}

TEST(Progress, CutsTheLineToTheTerminal) {
  const auto text = told({.terminal = true, .columns = 20});
  EXPECT_NE(text.find("0/2 customers, 0/4 \r"), std::string::npos);
}

}  // namespace
}  // namespace atelier
