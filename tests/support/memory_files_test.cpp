#include "support/memory_files.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

TEST(MemoryFiles, AFileIsSeenUnderItsNewNameAfterRename) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folders("/a/b"));
  auto writer = files.create("/a/b/part");
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->write_at(2, std::as_bytes(std::span("xy", 2))));
  ASSERT_TRUE((*writer)->write_at(0, std::as_bytes(std::span("ab", 2))));
  ASSERT_TRUE(files.rename("/a/b/part", "/a/b/whole"));
  EXPECT_EQ(files.text("/a/b/whole"), "abxy");
  EXPECT_FALSE(files.exists("/a/b/part"));
}

TEST(MemoryFiles, WhatIsMissingIsAnEmptyOptional) {
  MemoryFiles files;
  const auto stat = files.stat("/nowhere");
  ASSERT_TRUE(stat);
  EXPECT_FALSE(stat->has_value());
  EXPECT_EQ(files.read("/nowhere").error().message, "/nowhere: No such file or directory");
}

TEST(MemoryFiles, AFolderListsItsOwnNamesSorted) {
  MemoryFiles files;
  files.put("/in/b.txt", "b");
  files.put("/in/a/c.txt", "c");
  EXPECT_EQ(files.list("/in/").value(), (std::vector<std::filesystem::path>{"a", "b.txt"}));
}

TEST(MemoryFiles, AFolderMovesWithAllThatIsInIt) {
  MemoryFiles files;
  files.put("/in/deep/a", "1");
  ASSERT_TRUE(files.rename("/in", "/out"));
  EXPECT_EQ(files.text("/out/deep/a"), "1");
  EXPECT_FALSE(files.exists("/in"));
}

TEST(MemoryFiles, AFolderThatHoldsSomethingIsNotReplaced) {
  MemoryFiles files;
  files.put("/new/a", "1");
  files.put("/old/b", "2");
  EXPECT_EQ(files.rename("/new", "/old").error().message, "/old: Directory not empty");
}

TEST(MemoryFiles, BytesThatWereReadStayAsTheyWere) {
  MemoryFiles files;
  files.put("/a", "before");
  const auto bytes = files.read("/a").value();
  files.put("/a", "after");
  EXPECT_EQ(static_cast<char>(bytes->bytes()[0]), 'b');
}

TEST(MemoryFiles, AChangeHasALaterTime) {
  MemoryFiles files;
  files.put("/a", "1");
  const auto before = files.stat("/a").value()->modified_ns;
  files.touch("/a");
  EXPECT_GT(files.stat("/a").value()->modified_ns, before);
}

TEST(MemoryFiles, ALockIsHeldUntilItsObjectDies) {
  MemoryFiles files;
  auto lock = files.try_lock("/lock");
  ASSERT_TRUE(*lock);
  EXPECT_EQ(*files.try_lock("/lock"), nullptr);
  lock->reset();
  EXPECT_NE(*files.try_lock("/lock"), nullptr);
}

TEST(MemoryFiles, AFullDiskRefusesBytes) {
  MemoryFiles files;
  files.set_capacity(3);
  auto writer = files.create("/a");
  EXPECT_EQ((*writer)->write_at(0, std::as_bytes(std::span("four", 4))).error().message, "/a: No space left on device");
}

TEST(MemoryFiles, ALockIsAFileWhileItIsHeldAndAfterItsHolderWasKilled) {
  MemoryFiles files;
  ASSERT_TRUE(files.make_folders("/locks"));
  auto lock = files.try_lock("/locks/one").value();
  EXPECT_EQ(files.list("/locks").value(), std::vector<std::filesystem::path>{"one"});
  files.end_all(MemoryFiles::Loss::nothing);
  EXPECT_EQ(files.list("/locks").value(), std::vector<std::filesystem::path>{"one"});
  EXPECT_NE(*files.try_lock("/locks/one"), nullptr);
}

struct Diary {
  MemoryFiles files;
  Diary() {
    auto writer = files.make_folders("/d") ? files.create("/d/page").value() : nullptr;
    (void)writer->write_at(0, std::as_bytes(std::span("monday", 6)));
    (void)writer->sync();
    (void)files.sync_folder("/d");
    (void)writer->write_at(6, std::as_bytes(std::span("tuesday", 6)));
    (void)files.rename("/d/page", "/d/week");
  }
};

TEST(MemoryFiles, APowerCutTakesBytesAndNamesThatWereNotSynced) {
  Diary diary;
  diary.files.end_all(MemoryFiles::Loss::unsynced);
  EXPECT_EQ(diary.files.text("/d/page"), "monday");
  EXPECT_FALSE(diary.files.exists("/d/week"));
}

TEST(MemoryFiles, APowerCutMayTakeHalfTheBytesAndLeaveTheNames) {
  Diary diary;
  diary.files.end_all(MemoryFiles::Loss::late_bytes);
  EXPECT_EQ(diary.files.text("/d/week"), "monday") << "half of twelve";
  EXPECT_FALSE(diary.files.exists("/d/page"));
}

TEST(MemoryFiles, WhatIsSyncedOutlivesAPowerCut) {
  Diary diary;
  ASSERT_TRUE(diary.files.sync_folder("/d"));
  ASSERT_TRUE(diary.files.sync_folder("/d/week"));
  diary.files.end_all(MemoryFiles::Loss::unsynced);
  EXPECT_EQ(diary.files.text("/d/week"), "mondaytuesda");
  EXPECT_FALSE(diary.files.exists("/d/page"));
}

TEST(MemoryFiles, NamesInAFolderThatWasMovedMoveWithItThroughAPowerCut) {
  MemoryFiles files;
  files.put("/a/b/one", "1");
  ASSERT_TRUE(files.rename("/a/b", "/a/c"));
  ASSERT_TRUE(files.sync_folder("/a"));
  files.end_all(MemoryFiles::Loss::unsynced);
  EXPECT_EQ(files.text("/a/c/one"), "1");
  EXPECT_FALSE(files.exists("/a/b"));
}

}  // namespace
}  // namespace atelier
