#include "cache/cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <thread>

#include "cache/ledger_facts.h"
#include "random_artifact.h"
#include "support/manual_clock.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

class CacheTest : public ::testing::Test {
 protected:
  std::unique_ptr<Cache> open() {
    auto cache = open_cache(*files, place, [this](const std::string& s) { told.push_back(s); }, clock);
    if (!cache) throw std::runtime_error(cache.error().message);
    return std::move(*cache);
  }
  TemporaryFolder folder;
  fs::path place = folder.path() / "cache";
  std::unique_ptr<Files> files = make_posix_files();
  ManualClock clock;
  std::vector<std::string> told;
};

TEST_F(CacheTest, AllThatIsInItIsItsOwnersOnly) {
  fs::create_directory(place);
  fs::permissions(place, fs::perms::all);
  const auto cache = open();
  ASSERT_TRUE(cache->store().put(key_of(1), random_outputs(1), {}));
  ASSERT_TRUE(cache->store().put_checkpoint(key_of(1), random_outputs(1).begin()->second));
  ASSERT_TRUE(cache->ledger().commit({key_of(1), "train", 1, {}, {}, {}, 0}, {"anna@night"}));
  constexpr auto kOthers = fs::perms::group_all | fs::perms::others_all;
  EXPECT_EQ(fs::status(place).permissions() & kOthers, fs::perms::none);
  int seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(place)) {
    EXPECT_EQ(entry.status().permissions() & kOthers, fs::perms::none) << entry.path();
    ++seen;
  }
  EXPECT_GE(seen, 9);
}

TEST_F(CacheTest, AFolderThatCannotBeMadeIsTold) {
  ASSERT_TRUE(write_file(*files, place, "x"));
  const auto cache = open_cache(*files, place, [](const std::string&) {}, clock);
  EXPECT_EQ(cache.error().message, place.string() + ": the folder cannot be made: File exists");
}

TEST_F(CacheTest, ALivingRunsKeysAreHeldAndADeadRunsAreNot) {
  const auto cache = open(), collector = open();
  auto run = cache->leases().begin_run("20260101T000000-1").value();
  const std::vector<Digest> keys{key_of(1), key_of(2)};
  ASSERT_TRUE(run->hold(keys));
  EXPECT_EQ(collector->leases().held().value(), (std::unordered_set<Digest>{key_of(1), key_of(2)}));
  EXPECT_EQ(collector->leases().begin_run("20260101T000000-1").error().message,
            "run 20260101T000000-1: another process is running it");
  run.reset();
  EXPECT_TRUE(collector->leases().held().value().empty());
}

TEST_F(CacheTest, ARunThatWasKilledHoldsNothing) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto cache = open();
    auto run = cache->leases().begin_run("killed").value();
    const std::vector<Digest> keys{key_of(1)};
    if (!run->hold(keys)) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto cache = open();
  EXPECT_TRUE(cache->leases().held().value().empty());
  EXPECT_TRUE(cache->leases().begin_run("killed"));
}

TEST_F(CacheTest, ALivingRunTellsForWhomItWorksAndWhenItsKeysWereUsed) {
  const auto cache = open(), collector = open();
  const auto run = cache->leases().begin_run("tonight", {"anna", "ben"}).value();
  const std::vector<Digest> keys{key_of(1)};
  clock.advance(std::chrono::seconds(5));
  ASSERT_TRUE(run->hold(keys));
  const auto living = collector->leases().living().value();
  ASSERT_EQ(living.size(), 1u);
  EXPECT_EQ(living[0].pid, ::getpid());
  EXPECT_EQ(living[0].customers, (std::vector<std::string>{"anna", "ben"}));
  EXPECT_EQ(living[0].started_ns, 1'700'000'000'000'000'000);
  EXPECT_EQ(read_facts(collector->ledger_on_disk())->used_ns.at(key_of(1)), 1'700'000'005'000'000'000);
}

TEST_F(CacheTest, ARunNamesNewKeysOnlyWhenNobodyRemovesAnything) {
  const auto cache = open(), collector = open();
  const auto run = cache->leases().begin_run("tonight").value();
  auto lock = collector->leases().exclude().value();
  std::atomic<bool> held{false};
  std::jthread holding([&] {
    const std::vector<Digest> keys{key_of(1)};
    EXPECT_TRUE(run->hold(keys));
    held = true;
  });
  EXPECT_TRUE(collector->leases().held().value().empty());
  EXPECT_FALSE(held);
  lock.reset();
  holding.join();
  EXPECT_EQ(collector->leases().held().value(), std::unordered_set<Digest>{key_of(1)});
}

TEST(DefaultCacheFolder, FollowsTheXdgBaseDirectories) {
  EXPECT_EQ(default_cache_folder("/fast/cache", "/home/studio").value(), "/fast/cache/atelier");
  EXPECT_EQ(default_cache_folder(nullptr, "/home/studio").value(), "/home/studio/.cache/atelier");
  EXPECT_EQ(default_cache_folder("relative", "/home/studio").value(), "/home/studio/.cache/atelier");
  EXPECT_EQ(default_cache_folder("", nullptr).error().message,
            "neither XDG_CACHE_HOME nor HOME is set: name a folder for the cache with --cache");
}

TEST(RemoteFileSystem, IsNamedAndALocalOneIsNot) {
  EXPECT_EQ(remote_file_system(0x6969), "NFS");
  EXPECT_EQ(remote_file_system(0xff534d42), "CIFS");
  EXPECT_EQ(remote_file_system(0xef53), "");      // ext4
  EXPECT_EQ(remote_file_system(0x9123683e), "");  // btrfs
}

}  // namespace
}  // namespace atelier
