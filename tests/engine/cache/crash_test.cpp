// What a cache holds after its process died at any moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/cache.h"
#include "forwarding_files.h"
#include "random_artifact.h"
#include "support/manual_clock.h"
#include "support/memory_files.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kKeys = 6;

class CrashTest : public ::testing::Test {
 protected:
  std::unique_ptr<Cache> open(Files& with) {
    return open_cache(
               with, folder.path(), [this](const std::string& s) { told.push_back(s); }, clock)
        .value();
  }
  // Runs `body` in a child process and waits for its end, which must be by SIGKILL or, with 0, its own.
  template <class Body>
  bool dies(const Body& body) {
    const pid_t child = ::fork();
    if (child == 0) {
      body();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) << status;
    return status != 0;
  }
  std::vector<std::string> temporary_files() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path()))
      if (entry.path().string().find(".tmp") != std::string::npos) found.push_back(entry.path().filename());
    return found;
  }

  TemporaryFolder folder;
  std::unique_ptr<Files> files = make_posix_files();
  ManualClock clock;
  std::vector<std::string> told;
};

// A night's work on a few keys: checkpoint, content, record, checkpoint dropped, again and again.
void work(Cache& cache, std::int64_t rounds) {
  for (std::int64_t n = 0; n < rounds; ++n) {
    const std::int64_t key = n % kKeys;
    const Outputs outputs = random_outputs(key);
    if (!cache.store().put_checkpoint(key_of(key), outputs.begin()->second)) ::_exit(3);
    if (!cache.store().put(key_of(key), outputs, {})) ::_exit(4);
    Record record{key_of(key), "train", 1, {}, {}, {}, 0};
    for (const auto& [port, artifact] : outputs) record.outputs[port] = {digest_of(artifact), artifact.size_bytes()};
    if (!cache.ledger().commit(record, {"anna@night"})) ::_exit(5);
    cache.store().drop_checkpoint(key_of(key));
  }
}

// Content and checkpoints are what was put or are missing; a record's content is there, since nothing was dropped.
void expect_whole(Cache& cache) {
  for (std::int64_t key = 0; key < kKeys; ++key) {
    const Outputs put = random_outputs(key);
    const auto outputs = cache.store().get(key_of(key));
    EXPECT_TRUE(!outputs || same(*outputs, put)) << key;
    const auto checkpoint = cache.store().checkpoint(key_of(key));
    EXPECT_TRUE(!checkpoint || digest_of(*checkpoint) == digest_of(put.begin()->second)) << key;
    if (const auto record = cache.ledger().find(key_of(key))) {
      ASSERT_TRUE(outputs) << key;
      for (const auto& [port, artifact] : *outputs) EXPECT_EQ(record->outputs.at(port).digest, digest_of(artifact));
    }
  }
}

TEST_F(CrashTest, DeathAtEveryFileOperationLeavesWholeEntriesOrNone) {
  bool died = true;
  int operations = 0;
  for (int lives_for = 0; died; ++lives_for) {
    died = dies([&] {
      int left = lives_for;
      ForwardingFiles deadly(*files, [&](const std::string&, const fs::path&) {
        if (left-- == 0) ::kill(::getpid(), SIGKILL);
      });
      work(*open(deadly), 2);
    });
    const auto cache = open(*files);
    expect_whole(*cache);
    EXPECT_THAT(temporary_files(), IsEmpty()) << lives_for;
    EXPECT_THAT(told, IsEmpty()) << lives_for;
    operations = lives_for;
  }
  EXPECT_GT(operations, 30);
}

TEST_F(CrashTest, DeathBetweenAnyTwoCommitsLosesNoneThatReturned) {
  RandomStream random = stream_of(99);
  for (int round = 0; round < 12; ++round) {
    int says[2];
    ASSERT_EQ(::pipe(says), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto cache = open(*files);
      for (std::int64_t n = 0;; ++n) {
        const std::int64_t key = 1000 * round + n;
        if (!cache->ledger().commit({key_of(key), "train", key, {}, {}, {}, 0}, {"anna@night"})) ::_exit(1);
        if (::write(says[1], &key, sizeof key) != sizeof key) ::_exit(2);
      }
    }
    ::close(says[1]);
    std::int64_t last = -1;
    for (auto heard = 1 + random.below(60); heard > 0; --heard) ASSERT_EQ(::read(says[0], &last, sizeof last), 8);
    ::kill(child, SIGKILL);
    ::close(says[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    const auto cache = open(*files);
    for (std::int64_t key = 1000 * round; key <= last; ++key)
      EXPECT_EQ(cache->ledger().find(key_of(key))->node_version, key);
  }
}

TEST_F(CrashTest, DeathAtRandomMomentsOfManyWritersLeavesWholeEntries) {
  RandomStream random = stream_of(5);
  for (int round = 0; round < 6; ++round) {
    std::vector<pid_t> children;
    for (int p = 0; p < 3; ++p) {
      const int lives_for = static_cast<int>(random.below(150));
      const pid_t child = ::fork();
      if (child == 0) {
        int left = lives_for;
        ForwardingFiles deadly(*files, [&](const std::string&, const fs::path&) {
          if (left-- == 0) ::kill(::getpid(), SIGKILL);
        });
        work(*open(deadly), 40);
        ::_exit(0);
      }
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 0;
      ::waitpid(child, &status, 0);
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    }
    const auto cache = open(*files);
    expect_whole(*cache);
    EXPECT_THAT(temporary_files(), IsEmpty());
    EXPECT_THAT(told, IsEmpty());
  }
}

// What a power cut leaves is decided by this order.
TEST_F(CrashTest, BytesAreOnDiskBeforeTheNameAndTheNameBeforePutReturns) {
  std::vector<std::string> order;
  ForwardingFiles recorded(*files, [&](const std::string& what, const fs::path&) { order.push_back(what); });
  const auto store = Hdf5Store::open(recorded, folder.path(), [](const std::string&) {}).value();
  order.clear();
  ASSERT_TRUE(store->put(key_of(1), random_outputs(1), {}));
  EXPECT_THAT(order, ElementsAre("make_folders", "create", "write", "write on", "write", "write on", "sync", "close",
                                 "rename", "sync_folder"));
}

class DamageTest : public ::testing::Test {
 protected:
  DamageTest() {
    Artifact artifact;
    artifact.metadata["step"] = 3;
    artifact.tensors["loss"] = Tensor::of<float>({2}, std::vector<float>{1, 2});
    EXPECT_TRUE(store->put(key_of(1), {{"out", artifact}}, {}));
    whole = disk.text(store->content_path(key_of(1))).value();
  }
  bool read(const std::string& bytes) {
    disk.put(store->content_path(key_of(1)), bytes);
    return store->get(key_of(1)).has_value();
  }
  MemoryFiles disk;
  std::unique_ptr<Hdf5Store> store = Hdf5Store::open(disk, "/cache", [](const std::string&) {}).value();
  std::string whole;
};

TEST_F(DamageTest, EveryFlippedBitIsAMiss) {
  ASSERT_TRUE(read(whole));
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      ASSERT_FALSE(read(damaged)) << "byte " << at << ", bit " << bit;
    }
  ASSERT_TRUE(read(whole));
}

TEST_F(DamageTest, EveryTruncationIsAMiss) {
  for (std::size_t length = 0; length < whole.size(); ++length)
    ASSERT_FALSE(read(whole.substr(0, length))) << length << " bytes";
  ASSERT_FALSE(read(whole + '\0'));
}

}  // namespace
}  // namespace atelier
