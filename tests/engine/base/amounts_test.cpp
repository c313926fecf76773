#include "base/amounts.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

TEST(Amounts, ShowDurationsAsPeopleSayThem) {
  EXPECT_EQ(show_duration(4.25), "4.2 s");
  EXPECT_EQ(show_duration(200), "3 min 20 s");
  EXPECT_EQ(show_duration(7500), "2 h 5 min");
}

TEST(Amounts, ShowBytesInPowersOfAThousand) {
  EXPECT_EQ(show_bytes(512), "512 B");
  EXPECT_EQ(show_bytes(3'400'000), "3.4 MB");
  EXPECT_EQ(show_bytes(999'990), "1.0 MB");
  EXPECT_EQ(show_bytes(234'000'000'000), "234 GB");
}

}  // namespace
}  // namespace atelier
