#include "run/pace.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

TEST(Pace, IsUnknownBeforeSomethingWentOn) {
  Pace pace;
  EXPECT_EQ(pace.per_s(), std::nullopt);
  pace.at(10, 5);
  EXPECT_EQ(pace.per_s(), std::nullopt);
  pace.at(20, 5);
  EXPECT_EQ(pace.per_s(), std::nullopt) << "nothing was done";
  pace.at(30, 10);
  EXPECT_DOUBLE_EQ(pace.per_s().value(), 0.25);
}

TEST(Pace, IsThatOfTheLastMinute) {
  Pace pace;
  double done = 0;
  for (int second = 0; second <= 300; ++second) pace.at(second, done += 1);
  for (int second = 301; second <= 370; ++second) pace.at(second, done += 3);
  EXPECT_NEAR(pace.per_s().value(), 3, 1e-9);
  EXPECT_EQ(pace.last_s(), 370);
  EXPECT_EQ(pace.last_done(), done);
}

TEST(Pace, OfWhatTakesHoursIsThatOfItsLastTenth) {
  Pace pace;
  for (int minute = 0; minute <= 600; ++minute) pace.at(60.0 * minute, minute % 20 == 0 ? minute - 1 : minute);
  EXPECT_NEAR(pace.per_s().value(), 1 / 60.0, 0.05 / 60) << "the stop every twenty minutes evens out";
}

TEST(Pace, IsKnownOfStepsThatTakeLongerThanItsWindow) {
  Pace pace;
  for (int step = 0; step < 4; ++step) pace.at(200.0 * step, step);
  EXPECT_DOUBLE_EQ(pace.per_s().value(), 1 / 200.0);
}

}  // namespace
}  // namespace atelier
