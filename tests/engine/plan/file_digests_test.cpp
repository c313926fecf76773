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
