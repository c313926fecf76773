#include "cache/gc.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>
#include <thread>

#include "cache_fixture.h"
#include "forwarding_files.h"

namespace atelier {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kLater = 4'000'000'000;  // seconds since the epoch; later than any file of the test is made

class GcTest : public CacheFixture {
 protected:
  GcTest() { clock.set_wall(Clock::WallTime(seconds(kLater))); }

  // Three trainings, used an hour after another, the first first.
  void make_three(Cache& cache) {
    for (const std::int64_t n : {1, 2, 3}) {
      make(cache, key_of(n), outputs_of(100'000), {"anna@place"});
      use(cache, {key_of(n)});
      clock.advance(hours(1));
    }
  }
  GcResult collect(Cache& cache, const GcOptions& options = {}) {
    auto result = collect_garbage(*files, cache, clock, options);
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }
  static std::vector<Digest> keys(const GcResult& result) {
    std::vector<Digest> all;
    for (const auto& one : result.removed) all.push_back(one.key.value());
    return all;
  }
  std::vector<std::int64_t> left(Cache& cache) const {
    std::vector<std::int64_t> numbers;
    for (std::int64_t n = 0; n < 10; ++n)
      if (cache.store().has(key_of(n))) numbers.push_back(n);
    return numbers;
  }
};

TEST_F(GcTest, WithoutOptionsWhatIsNeededStays) {
  const auto cache = open();
  make_three(*cache);
  ASSERT_TRUE(cache->store().put_checkpoint(key_of(7), outputs_of(10).at("out")));
  show(*cache, key_of(1), {"anna@place"});
  const auto result = collect(*cache);
  EXPECT_THAT(result.removed, IsEmpty());
  EXPECT_EQ(result.freed_bytes, 0u);
  EXPECT_THAT(left(*cache), ElementsAre(1, 2, 3));
  EXPECT_TRUE(cache->store().checkpoint(key_of(7)));
}

TEST_F(GcTest, TheOldestUseGoesFirstUntilTheSizeIsReachedAndRecordsStay) {
  const auto cache = open();
  make_three(*cache);
  use(*cache, {key_of(1)});  // again, so that the second is the oldest
  const auto result = collect(*cache, {.max_bytes = 250'000});
  EXPECT_THAT(keys(result), ElementsAre(key_of(2)));
  EXPECT_EQ(result.removed[0].reason, GcReason::too_much);
  EXPECT_LE(result.left_bytes, 250'000u);
  EXPECT_GT(result.freed_bytes, 100'000u);
  EXPECT_THAT(left(*cache), ElementsAre(1, 3));
  EXPECT_TRUE(open()->ledger().find(key_of(2)));
}

TEST_F(GcTest, WhatWasNotUsedForLongGoes) {
  const auto cache = open();
  make_three(*cache);  // used 3, 2 and 1 hours ago
  EXPECT_THAT(keys(collect(*cache, {.max_age = hours(2)})), ElementsAre(key_of(1)));
  EXPECT_THAT(left(*cache), ElementsAre(2, 3));
}

TEST_F(GcTest, WhatTheLastRunsUsedStaysWhateverElseIsAsked) {
  const auto cache = open();
  make_three(*cache);
  const auto result = collect(*cache, {.max_bytes = 0, .max_age = seconds(1), .keep_last_runs = 2});
  EXPECT_THAT(keys(result), ElementsAre(key_of(1)));
  EXPECT_THAT(left(*cache), ElementsAre(2, 3));
  EXPECT_THAT(keys(collect(*cache, {.max_bytes = 0, .keep_last_runs = 9})), IsEmpty());
}

TEST_F(GcTest, ADryRunSaysTheSameAndRemovesNothing) {
  const auto cache = open();
  make_three(*cache);
  const auto dry = collect(*cache, {.max_bytes = 0, .dry_run = true});
  EXPECT_THAT(left(*cache), ElementsAre(1, 2, 3));
  const auto real = collect(*cache, {.max_bytes = 0});
  EXPECT_EQ(keys(dry), keys(real));
  EXPECT_EQ(dry.freed_bytes, real.freed_bytes);
  EXPECT_EQ(real.left_bytes, 0u);
}

TEST_F(GcTest, NothingThatALivingRunUsesGoes) {
  const auto cache = open(), other = open();
  make_three(*cache);
  show(*cache, key_of(1), {"anna@place"});
  const auto run = other->leases().begin_run("living").value();
  const std::vector<Digest> used{key_of(1)};
  ASSERT_TRUE(run->hold(used));
  const auto result = collect(*cache, {.max_bytes = 0});
  EXPECT_THAT(left(*cache), ElementsAre(1));
  EXPECT_TRUE(cache->store().has(shown_key(key_of(1))));
  EXPECT_EQ(result.in_use, 2u);
}

TEST_F(GcTest, WhatALivingRunMadeBeforeItsLeaseIsWrittenStays) {
  const auto cache = open();
  make_three(*cache);
  clock.set_wall(Clock::WallTime(seconds(1000)));  // the run began before the files of this test were made
  const auto run = cache->leases().begin_run("living").value();
  clock.set_wall(Clock::WallTime(seconds(kLater)));
  EXPECT_THAT(collect(*cache, {.max_bytes = 0}).removed, IsEmpty());
}

TEST_F(GcTest, WhatIsBeingComputedStays) {
  const auto cache = open(), other = open();
  make_three(*cache);
  const auto claim = other->store().try_claim(key_of(2)).value();
  const auto result = collect(*cache, {.max_bytes = 0});
  EXPECT_THAT(left(*cache), ElementsAre(2));
  EXPECT_EQ(result.in_use, 1u);
}

TEST_F(GcTest, WhatADeadRunUsedGoes) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto cache = open();
    make(*cache, key_of(1), outputs_of(10), {});
    auto run = cache->leases().begin_run("killed").value();
    const std::vector<Digest> used{key_of(1)};
    if (!run->hold(used)) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto cache = open();
  EXPECT_THAT(keys(collect(*cache, {.max_bytes = 0})), ElementsAre(key_of(1)));
}

TEST_F(GcTest, GarbageGoesWithoutBeingAskedFor) {
  const auto cache = open();
  make(*cache, key_of(1), outputs_of(10), {});
  ASSERT_TRUE(cache->store().put_checkpoint(key_of(1), outputs_of(10).at("out")));  // of a training that is done
  ASSERT_TRUE(cache->store().put(key_of(2), outputs_of(10), {}));                   // no record ever named it
  show(*cache, key_of(3), {});                                                      // nobody knows that task
  make(*cache, key_of(4), outputs_of(10), {});
  ASSERT_TRUE(write_file(*files, cache->store_on_disk().content_path(key_of(4)), "damaged"));
  EXPECT_FALSE(cache->store().get(key_of(4)));
  const auto half = place / "checkpoints" / ("." + key_of(5).hex() + ".writer-9.tmp1");
  ASSERT_TRUE(write_file(*files, half, "half"));
  std::map<std::string, int> reasons;
  for (const auto& one : collect(*cache).removed) ++reasons[std::string(name_of(one.reason))];
  EXPECT_EQ(reasons, (std::map<std::string, int>{{"done", 1}, {"left over", 2}, {"quarantined", 1}, {"unneeded", 1}}));
  EXPECT_THAT(left(*cache), ElementsAre(1));
  EXPECT_FALSE(std::filesystem::exists(half));
  EXPECT_TRUE(std::filesystem::is_empty(place / "quarantine"));
  EXPECT_TRUE(std::filesystem::is_empty(place / "checkpoints"));
}

TEST_F(GcTest, WhatALivingWriterWritesStays) {
  const auto cache = open();  // has writer-0
  const auto half = place / "checkpoints" / ("." + key_of(5).hex() + ".writer-0.tmp1");
  ASSERT_TRUE(write_file(*files, half, "half"));
  EXPECT_THAT(collect(*open()).removed, IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(half));
}

TEST_F(GcTest, ARunWaitsUntilACollectionIsOver) {
  const auto cache = open(), other = open();
  auto lock = cache->leases().exclude().value();
  std::atomic<bool> began{false};
  std::jthread starting([&] {
    EXPECT_TRUE(other->leases().begin_run("waits"));
    began = true;
  });
  EXPECT_FALSE(began);
  lock.reset();
  starting.join();
  EXPECT_TRUE(began);
}

TEST_F(GcTest, ASecondCollectionAtTheSameTimeIsRefused) {
  const auto cache = open(), other = open();
  const auto lock = other->leases().exclude().value();
  EXPECT_EQ(collect_garbage(*files, *cache, clock, {}).error().message,
            place.string() + ": another process removes from this cache; wait for it and try again");
}

TEST_F(GcTest, WhatCannotBeRemovedIsTold) {
  const auto cache = open();
  make_three(*cache);
  ForwardingFiles failing(*files, [](const std::string&, const std::filesystem::path&) {});
  failing.unremovable = cache->store_on_disk().content_path(key_of(1));
  const auto result = collect_garbage(failing, *cache, clock, {.max_bytes = 0}).value();
  EXPECT_THAT(result.failed, ElementsAre(failing.unremovable.string() + ": cannot be removed: Permission denied"));
  EXPECT_THAT(keys(result), ElementsAre(key_of(2), key_of(3)));
  EXPECT_GT(result.left_bytes, 100'000u);
}

}  // namespace
}  // namespace atelier
