#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

class PosixFilesTest : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  std::unique_ptr<Files> files = make_posix_files();
  fs::path at(const std::string& name) const { return folder.path() / name; }
};

mode_t mode_of(const fs::path& path) {
  struct stat s {};
  EXPECT_EQ(::stat(path.c_str(), &s), 0);
  return s.st_mode & 0777;
}

TEST_F(PosixFilesTest, AWrittenFileReadsBackAndIsItsOwnersOnly) {
  ASSERT_TRUE(write_file(*files, at("note.txt"), "twelve bytes"));
  EXPECT_EQ(read_text(*files, at("note.txt")).value(), "twelve bytes");
  EXPECT_EQ(mode_of(at("note.txt")), 0600u);
  EXPECT_EQ(files->list(folder.path()).value(), std::vector<fs::path>{"note.txt"});
}

TEST_F(PosixFilesTest, FoldersAreMadeWithTheirParentsAndAreTheirOwnersOnly) {
  ASSERT_TRUE(files->make_folders(at("a/b/c")));
  ASSERT_TRUE(files->make_folders(at("a/b/c")));
  for (const char* name : {"a", "a/b", "a/b/c"}) EXPECT_EQ(mode_of(at(name)), 0700u) << name;
}

TEST_F(PosixFilesTest, AFolderInPlaceOfAFileIsTold) {
  ASSERT_TRUE(write_file(*files, at("taken"), "x"));
  EXPECT_EQ(files->make_folders(at("taken")).error().message,
            at("taken").string() + ": the folder cannot be made: File exists");
  EXPECT_EQ(files->make_folders(at("taken/below")).error().message,
            at("taken/below").string() + ": the folder cannot be made: Not a directory");
}

TEST_F(PosixFilesTest, WhatIsMissingStatsAsEmptyAndReadsAsAnError) {
  EXPECT_EQ(files->stat(at("nothing")).value(), std::nullopt);
  const auto read = files->read(at("nothing"));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, at("nothing").string() + ": cannot be read: No such file or directory");
  EXPECT_EQ(read.error().kind, ErrorKind::input);
  EXPECT_EQ(files->list(at("nothing")).error().message,
            at("nothing").string() + ": cannot be listed: No such file or directory");
  EXPECT_EQ(files->create(at("nothing/file")).error().message,
            at("nothing/file").string() + ": cannot be created: No such file or directory");
  EXPECT_TRUE(files->remove_all(at("nothing")));
}

TEST_F(PosixFilesTest, StatTellsWhatChanges) {
  ASSERT_TRUE(write_file(*files, at("f"), "one"));
  const timespec old[2] = {{1000, 5}, {1000, 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, at("f").c_str(), old, 0), 0);
  const FileStat stat = files->stat(at("f")).value().value();
  EXPECT_EQ(stat.type, FileStat::Type::file);
  EXPECT_EQ(stat.size_bytes, 3u);
  EXPECT_EQ(stat.modified_ns, 1'000'000'000'005);
  EXPECT_EQ(files->stat(folder.path()).value()->type, FileStat::Type::folder);
  ASSERT_TRUE(write_file(*files, at("f"), "two"));
  EXPECT_NE(files->stat(at("f")).value().value(), stat);
}

TEST_F(PosixFilesTest, AMappingOutlivesTheReplacementOfItsFile) {
  ASSERT_TRUE(write_file(*files, at("f"), "before"));
  const auto mapped = files->read(at("f")).value();
  ASSERT_TRUE(write_file(*files, at("f"), "after"));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()), "before");
}

TEST_F(PosixFilesTest, AnEmptyFileReadsAsNoBytes) {
  ASSERT_TRUE(write_file(*files, at("empty"), ""));
  EXPECT_TRUE(files->read(at("empty")).value()->bytes().empty());
}

TEST_F(PosixFilesTest, AFailedWriteLeavesNothingBehind) {
  ASSERT_TRUE(files->make_folders(at("taken")));
  const auto written = write_file(*files, at("taken"), "x");
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("cannot be renamed to " + at("taken").string() + ": Is a directory"),
            std::string::npos)
      << written.error().message;
  EXPECT_EQ(files->list(folder.path()).value(), std::vector<fs::path>{"taken"});
}

TEST_F(PosixFilesTest, ListIsSortedByBytes) {
  for (const char* name : {"b", "a", "B", ".hidden", "\xc3\xa9"}) ASSERT_TRUE(write_file(*files, at(name), "x"));
  EXPECT_EQ(files->list(folder.path()).value(), (std::vector<fs::path>{".hidden", "B", "a", "b", "\xc3\xa9"}));
}

TEST_F(PosixFilesTest, ALockIsHeldByOneAndLeavesNoFile) {
  auto first = files->try_lock(at("lock")).value();
  ASSERT_TRUE(first);
  EXPECT_FALSE(files->try_lock(at("lock")).value());
  first.reset();
  EXPECT_EQ(files->stat(at("lock")).value(), std::nullopt);
  EXPECT_TRUE(files->try_lock(at("lock")).value());
}

TEST_F(PosixFilesTest, AFullDiskIsAKindOfItsOwn) {
  const auto writer = files->create("/dev/full").value();
  const auto written = writer->write_at(0, std::as_bytes(std::span("four", 4)));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::disk_full);
  EXPECT_EQ(written.error().message, "/dev/full: cannot be written: No space left on device");
}

TEST_F(PosixFilesTest, FilesAndFoldersThatOthersWroteCanBeFlushed) {
  ASSERT_TRUE(write_file(*files, at("f"), "x"));
  EXPECT_TRUE(files->sync_folder(at("f")));
  EXPECT_TRUE(files->sync_folder(folder.path()));
  EXPECT_EQ(files->sync_folder(at("nothing")).error().message,
            at("nothing").string() + ": cannot be flushed to disk: No such file or directory");
}

TEST_F(PosixFilesTest, FreeSpaceIsTold) {
  EXPECT_GT(files->free_bytes(folder.path()).value(), 0u);
  EXPECT_FALSE(files->free_bytes(at("nothing")));
}

}  // namespace
}  // namespace atelier
