#include "run/resident_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

namespace atelier {
namespace {

ResidentObject object_of(std::uint64_t bytes) { return {std::make_shared<const int>(1), bytes}; }

TEST(ResidentCache, LoadsOnceForAllWhoAskAtTheSameTime) {
  ResidentCache cache(100);
  std::atomic<int> loads{0};
  constexpr int askers = 4;
  std::latch all_started(askers);
  std::vector<std::shared_ptr<const void>> got(askers);
  std::vector<std::thread> threads;
  for (int i = 0; i < askers; ++i)
    threads.emplace_back([&, i] {
      all_started.arrive_and_wait();
      got[static_cast<std::size_t>(i)] = *cache.get(sha256("base"), [&]() -> Expected<ResidentObject> {
        ++loads;
        return object_of(10);
      });
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(loads, 1);
  for (const auto& one : got) EXPECT_EQ(one, got.front());
  EXPECT_EQ(cache.bytes(), 10U);
}

TEST(ResidentCache, EvictsTheUnusedOneThatWasUsedLongestAgo) {
  ResidentCache cache(100);
  const auto get = [&](std::string_view name) { return *cache.get(sha256(name), [] { return object_of(40); }); };
  const auto used = get("used");
  get("first");
  get("used");
  get("second");  // 120 bytes: "first" goes, "used" is older but in use
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_EQ(cache.bytes(), 80U);
  bool loaded = false;
  EXPECT_TRUE(cache.get(sha256("first"), [&]() -> Expected<ResidentObject> {
    loaded = true;
    return object_of(1);
  }));
  EXPECT_TRUE(loaded);
}

TEST(ResidentCache, KeepsWhatIsInUseBeyondItsLimit) {
  ResidentCache cache(10);
  const auto one = *cache.get(sha256("one"), [] { return object_of(40); });
  const auto two = *cache.get(sha256("two"), [] { return object_of(40); });
  EXPECT_EQ(cache.bytes(), 80U);
  cache.evict_unused();
  EXPECT_EQ(cache.size(), 2U);
}

TEST(ResidentCache, TriesAgainAfterALoadThatFailed) {
  ResidentCache cache(10);
  const auto failed = cache.get(sha256("x"), []() -> Expected<ResidentObject> { return failure("no such model"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "no such model");
  EXPECT_THROW((void)cache.get(sha256("x"), []() -> Expected<ResidentObject> { throw Fault("broken"); }), Fault);
  EXPECT_TRUE(cache.get(sha256("x"), [] { return object_of(1); }));
}

}  // namespace
}  // namespace atelier
