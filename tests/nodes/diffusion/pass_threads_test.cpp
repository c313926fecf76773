#include "diffusion/pass_threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atelier::diffusion {
namespace {

using testing::ElementsAre;

// Calls `body` with so many threads of libtorch.
template <class Body>
void with_threads(int threads, const Body& body) {
  const ThreadCount guard(threads);
  body();
}

TEST(PassThreads, UsesWhatPassesGiveInTheirOrder) {
  with_threads(3, [] {
    std::vector<int64_t> used;
    const auto done =
        in_passes(7, at::kCPU, [](int64_t i) -> Result<int64_t> { return i; }, [&](int64_t i) { used.push_back(i); });
    EXPECT_TRUE(done);
    EXPECT_THAT(used, ElementsAre(0, 1, 2, 3, 4, 5, 6));
  });
}

TEST(PassThreads, GivesTheFirstErrorAndUsesNothingBehindIt) {
  with_threads(2, [] {
    std::vector<int64_t> used;
    const auto done = in_passes(
        4, at::kCPU,
        [](int64_t i) -> Result<int64_t> {
          if (i == 1) return fail("the second broke");
          return i;
        },
        [&](int64_t i) { used.push_back(i); });
    EXPECT_EQ(done.error().message, "the second broke");
    EXPECT_THAT(used, ElementsAre(0));
  });
}

TEST(PassThreads, GivesAPassOneThreadWhereThereAreSeveralAndAllWhereItIsAlone) {
  with_threads(2, [] {
    const auto threads = [](int64_t) -> Result<int> { return at::get_num_threads(); };
    std::vector<int> of_three, of_one;
    ASSERT_TRUE(in_passes(3, at::kCPU, threads, [&](int n) { of_three.push_back(n); }));
    ASSERT_TRUE(in_passes(1, at::kCPU, threads, [&](int n) { of_one.push_back(n); }));
    EXPECT_THAT(of_three, ElementsAre(1, 1, 1));
    EXPECT_THAT(of_one, ElementsAre(2));
    EXPECT_EQ(at::get_num_threads(), 2);
  });
}

}  // namespace
}  // namespace atelier::diffusion
