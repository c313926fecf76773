#include "plan/file_digests.h"

#include <gtest/gtest.h>

#include "support/manual_clock.h"
#include "support/memory_files.h"
#include "support/memory_ledger.h"

namespace atelier {
namespace {

using namespace std::chrono_literals;

class FileDigestsTest : public ::testing::Test {
 protected:
  void change(const std::string& text, std::chrono::nanoseconds age) {
    files.put("/photo.jpg", text);
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(clock.wall().time_since_epoch());
    files.set_modified("/photo.jpg", (now - age).count());
  }
  MemoryFiles files;
  MemoryLedger ledger;
  ManualClock clock;
  FileDigest digests = remembered_digests(files, ledger, clock);
};

// Somebody still writes to every file: each reading changes it.
class RestlessFiles final : public Files {
 public:
  using Path = std::filesystem::path;
  explicit RestlessFiles(MemoryFiles& files) : files_(files) {}
  int restless = 1000;  // readings during which a file changes

  Expected<std::shared_ptr<const FileBytes>> read(const Path& path) override {
    auto bytes = files_.read(path);
    if (restless-- > 0) files_.touch(path);
    return bytes;
  }
  Expected<std::optional<FileStat>> stat(const Path& path) override { return files_.stat(path); }
  Expected<std::vector<Path>> list(const Path& folder) override { return files_.list(folder); }
  Expected<std::unique_ptr<FileWriter>> create(const Path& path) override { return files_.create(path); }
  Expected<void> make_folders(const Path& folder) override { return files_.make_folders(folder); }
  Expected<void> rename(const Path& from, const Path& to) override { return files_.rename(from, to); }
  Expected<void> sync_folder(const Path& folder) override { return files_.sync_folder(folder); }
  Expected<void> remove_all(const Path& path) override { return files_.remove_all(path); }
  Expected<std::unique_ptr<FileLock>> try_lock(const Path& path) override { return files_.try_lock(path); }
  Expected<std::uint64_t> free_bytes(const Path& folder) override { return files_.free_bytes(folder); }

 private:
  MemoryFiles& files_;
};

TEST_F(FileDigestsTest, AFileThatChangesWhileItIsReadIsReadAgain) {
  change("pixels", 10s);
  RestlessFiles restless(files);
  restless.restless = 2;
  EXPECT_EQ(remembered_digests(restless, ledger, clock)("/photo.jpg"), sha256("pixels"));
}

TEST_F(FileDigestsTest, AFileThatGoesOnChangingIsTold) {
  change("pixels", 10s);
  RestlessFiles restless(files);
  const auto digest = remembered_digests(restless, ledger, clock)("/photo.jpg");
  ASSERT_FALSE(digest);
  EXPECT_EQ(digest.error().message, "/photo.jpg: changes while it is read; wait until it is whole");
  EXPECT_EQ(digest.error().kind, ErrorKind::transient);
}

TEST_F(FileDigestsTest, AFileIsReadOnce) {
  change("pixels", 10s);
  EXPECT_EQ(digests("/photo.jpg"), sha256("pixels"));
  EXPECT_EQ(digests("/elsewhere/../photo.jpg"), sha256("pixels"));
  EXPECT_EQ(files.reads(), 1u);
}

TEST_F(FileDigestsTest, AChangedFileIsReadAgain) {
  change("pixels", 10s);
  EXPECT_EQ(digests("/photo.jpg"), sha256("pixels"));
  change("pizels", 5s);
  EXPECT_EQ(digests("/photo.jpg"), sha256("pizels"));
}

TEST_F(FileDigestsTest, AFileChangedWithinTwoSecondsIsNotRemembered) {
  change("pixels", 1999ms);
  EXPECT_EQ(digests("/photo.jpg"), sha256("pixels"));
  EXPECT_EQ(digests("/photo.jpg"), sha256("pixels"));
  EXPECT_EQ(files.reads(), 2u);
  clock.advance(1ms);
  EXPECT_TRUE(digests("/photo.jpg"));
  EXPECT_TRUE(digests("/photo.jpg"));
  EXPECT_EQ(files.reads(), 3u);
}

TEST_F(FileDigestsTest, AFileFromTheFutureIsNotRemembered) {
  change("pixels", -1h);
  EXPECT_TRUE(digests("/photo.jpg"));
  EXPECT_TRUE(digests("/photo.jpg"));
  EXPECT_EQ(files.reads(), 2u);
}

TEST_F(FileDigestsTest, WhatIsNoFileIsTold) {
  files.put("/photos/a.jpg", "x");
  EXPECT_EQ(digests("/nothing.jpg").error().message, "/nothing.jpg: there is no such file");
  EXPECT_EQ(digests("/photos").error().message, "/photos: is not a file");
}

}  // namespace
}  // namespace atelier
