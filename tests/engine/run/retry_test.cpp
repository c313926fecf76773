#include "run/retry.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

using std::chrono::milliseconds;

TEST(Retry, WaitsLongerAfterEachTransientFailureAndThenGivesUp) {
  EXPECT_EQ(retry_after(ErrorKind::transient, 1, 3)->delay, milliseconds(1000));
  EXPECT_EQ(retry_after(ErrorKind::transient, 2, 3)->delay, milliseconds(4000));
  EXPECT_EQ(retry_after(ErrorKind::transient, 3, 3)->delay, milliseconds(16000));
  EXPECT_FALSE(retry_after(ErrorKind::transient, 4, 3));
  EXPECT_FALSE(retry_after(ErrorKind::transient, 1, 0));
}

TEST(Retry, TriesWhatRanOutOfMemoryWithLessAndThenAlone) {
  ASSERT_TRUE(retry_without_memory(1));
  EXPECT_FALSE(retry_without_memory(1)->alone);
  ASSERT_TRUE(retry_without_memory(2));
  EXPECT_TRUE(retry_without_memory(2)->alone);
  EXPECT_FALSE(retry_without_memory(3));
}

TEST(Retry, TriesWhatLostItsProcessOnceMore) {
  for (const int retries : {0, 3}) {
    EXPECT_TRUE(retry_after(ErrorKind::fault, 1, retries, true));
    EXPECT_FALSE(retry_after(ErrorKind::fault, 2, retries, true));
  }
}

TEST(Retry, LeavesEveryOtherFailureAsItIs) {
  for (const auto kind : {ErrorKind::input, ErrorKind::stopped, ErrorKind::input_lost, ErrorKind::fault})
    EXPECT_FALSE(retry_after(kind, 1, 3));
}

TEST(Retry, LooksForAKeyThatIsHeldElsewhereMoreAndMoreSeldom) {
  EXPECT_EQ(claim_delay(1), milliseconds(50));
  EXPECT_EQ(claim_delay(2), milliseconds(100));
  EXPECT_EQ(claim_delay(7), milliseconds(2000));
  EXPECT_EQ(claim_delay(60000), milliseconds(2000));
}

}  // namespace
}  // namespace atelier
