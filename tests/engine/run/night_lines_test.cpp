#include "run/night_lines.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

using Lines = std::vector<std::string>;

NightView a_night() {
  NightView view{.customers = 100,
                 .customers_done = 12,
                 .customers_failed = 1,
                 .tasks = 4100,
                 .tasks_done = 340,
                 .left_s = 12'000};
  view.running = {{"person/anna", "cuda:0", "step 412/800", "loss", 0.08123, 2.14, 181.0},
                  {"look", "cuda:1", "step 7/800", "loss", 0.2, 0.4, std::nullopt},
                  {.name = "align/ben", .device = "cpu"},
                  {.name = "caption/cleo", .device = "cpu"}};
  return view;
}

TEST(NightLines, TellAllOnAWideTerminal) {
  EXPECT_EQ(night_lines(a_night(), 119),
            (Lines{"12/100 customers, 1 failed, 340/4100 tasks, about 3 h 20 min left",
                   "cuda:0 person/anna, step 412/800, 2.1 steps/s, loss 0.0812, 3 min 1 s left",
                   "cuda:1 look, step 7/800, 2.5 s/step, loss 0.2000",  //
                   "cpu align/ben, caption/cleo"}));
}

TEST(NightLines, FitATerminalOfEightyColumns) {
  EXPECT_EQ(night_lines(a_night(), 79), night_lines(a_night(), 119)) << "it all fits";
  auto night = a_night();
  night.running.front().name = "person/anna-marie";
  EXPECT_EQ(night_lines(night, 79)[1], "cuda:0 person/anna-marie, step 412/800, 2.1 steps/s, loss 0.0812")
      << "what is left of one training goes first";
}

TEST(NightLines, LeaveOutWhatMattersLeastOnANarrowTerminal) {
  EXPECT_EQ(night_lines(a_night(), 39), (Lines{"12/100 customers, about 3 h 20 min left",  //
                                               "cuda:0 person/anna, 2.1/s, loss 0.0812",   //
                                               "cuda:1 look, 2.5 s/step, loss 0.2000",     //
                                               "cpu align/ben, caption/cleo"}));
}

TEST(NightLines, AreCutWhereEvenThatIsTooLong) {
  EXPECT_EQ(night_lines(a_night(), 10), (Lines{"12/100 cus", "cuda:0 per", "cuda:1 loo", "cpu align/"}));
  auto night = a_night();
  night.running = {{.name = "zoé", .device = "cpu"}};
  EXPECT_EQ(night_lines(night, 6)[1], "cpu zo") << "between characters, not within one";
  EXPECT_EQ(night_lines(night, 7)[1], "cpu zoé");
}

TEST(NightLines, NameAFewCpuTasksAndEightDevices) {
  NightView view{.customers = 9, .tasks = 20};
  for (int i = 0; i < 10; ++i) view.running.push_back({.name = "person", .device = "cuda:" + std::to_string(i)});
  for (const char* name : {"a", "b", "c", "d", "e"}) view.running.push_back({.name = name, .device = "cpu"});
  const Lines lines = night_lines(view, 80);
  ASSERT_EQ(lines.size(), 11U);
  EXPECT_EQ(lines[0], "0/9 customers, 0/20 tasks");
  EXPECT_EQ(lines[8], "cuda:7 person");
  EXPECT_EQ(lines[9], "and 2 more on devices");
  EXPECT_EQ(lines[10], "cpu a, b, c and 2 more");
}

}  // namespace
}  // namespace atelier
