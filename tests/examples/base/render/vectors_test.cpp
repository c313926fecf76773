#include "render/vectors.h"

#include <gtest/gtest.h>

namespace atelier::render {
namespace {

TEST(Vectors, TurnIsSineAndCosine) {
  for (float degrees = -90; degrees <= 90; degrees += 7.5f) {
    EXPECT_NEAR(turn(degrees).sine, std::sin(degrees * 0.0174532925), 2e-5) << degrees;
    EXPECT_NEAR(turn(degrees).cosine, std::cos(degrees * 0.0174532925), 2e-5) << degrees;
  }
}

TEST(Vectors, FlooredGoesDownBelowZeroToo) {
  EXPECT_EQ(floored(1.5f), 1);
  EXPECT_EQ(floored(-1.5f), -2);
  EXPECT_EQ(floored(-2.0f), -2);
}

TEST(Vectors, AWaveHasPeriodAndHeightOne) {
  EXPECT_NEAR(wave(0), 0, 1e-6);
  EXPECT_NEAR(std::fabs(wave(0.25f)), 1, 1e-6);
  EXPECT_NEAR(wave(0.25f), -wave(0.75f), 1e-6);
  EXPECT_NEAR(wave(-3.7f), wave(0.3f), 1e-5);
}

}  // namespace
}  // namespace atelier::render
