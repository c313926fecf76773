#include "run/output_writer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/memory_files.h"
#include "support/memory_ledger.h"
#include "support/temporary_folder.h"
#include "support/test_nodes.h"
#include "support/test_types.h"

namespace atelier {
namespace {

// On disk in memory.
struct Desk {
  MemoryFiles files;
  MemoryLedger ledger;
  std::shared_ptr<const PortType> file_type = make_text_type(files), folder_type = make_blend_type(files);

  OutputWriter writer() {
    return {files, ledger,
            [this](const std::filesystem::path& path) -> Expected<Digest> {
              const auto bytes = files.read(path);
              if (!bytes) return tl::unexpected(bytes.error());
              return sha256((*bytes)->bytes());
            },
            "/out"};
  }
  Expected<Digest> write(std::string_view text, const std::string& path, bool folder = false) {
    const auto artifact = text_artifact(text);
    return writer().write(artifact, digest_of(artifact), folder ? *folder_type : *file_type, path);
  }
  std::string error(std::string_view text, const std::string& path, bool folder = false) {
    const auto written = write(text, path, folder);
    return written ? "(written)" : written.error().message;
  }
  std::string text(const std::string& path) { return files.text(path).value_or("(none)"); }
};

TEST(OutputWriter, WritesAFileAndRemembersIt) {
  Desk desk;
  const auto digest = desk.write("hello", "anna/person.txt");
  ASSERT_TRUE(digest) << digest.error().message;
  EXPECT_EQ(desk.text("/out/anna/person.txt"), "hello");
  const auto memory = desk.ledger.last_output("/out/anna/person.txt");
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->tree, *digest);
  EXPECT_EQ(memory->source, digest_of(text_artifact("hello")));
}

TEST(OutputWriter, ReplacesWhatWasWrittenBeforeAndLeavesNothingBesideIt) {
  Desk desk;
  ASSERT_TRUE(desk.write("one", "anna/model/", true));
  desk.files.put("/out/anna/model/extra.txt", "a stranger's");
  ASSERT_TRUE(desk.write("two", "anna/model/", true));
  ASSERT_TRUE(desk.write("one", "anna/person.txt"));
  ASSERT_TRUE(desk.write("two", "anna/person.txt"));
  EXPECT_EQ(desk.files.all_files(),
            (std::vector<std::filesystem::path>{"/out/anna/model/blend.txt", "/out/anna/model/title.txt",
                                                "/out/anna/person.txt"}));
  EXPECT_EQ(desk.text("/out/anna/model/blend.txt"), "two");
  EXPECT_EQ(desk.text("/out/anna/model/title.txt"), "anna/model/");
  EXPECT_EQ(desk.text("/out/anna/person.txt"), "two");
}

TEST(OutputWriter, ClearsWhatACutOffRunLeftBeside) {
  Desk desk;
  desk.files.put("/out/anna/.model.atelier-new/half.txt", "half");
  desk.files.put("/out/anna/.model.atelier-old/blend.txt", "old");
  ASSERT_TRUE(desk.write("whole", "anna/model/", true));
  EXPECT_EQ(desk.files.all_files().size(), 2U);
}

TEST(OutputWriter, LeavesAFileThatNoRunHasWritten) {
  Desk desk;
  desk.files.put("/out/anna/person.txt", "dear diary");
  EXPECT_EQ(desk.error("hello", "anna/person.txt"),
            "/out/anna/person.txt: is taken by a file that no run has written; move it away or choose another --out");
  EXPECT_EQ(desk.text("/out/anna/person.txt"), "dear diary");
  EXPECT_EQ(desk.files.all_files().size(), 1U);
}

TEST(OutputWriter, TakesAFileForItsOwnThatIsTheSameToTheByte) {
  Desk desk;  // as after the cache was removed
  desk.files.put("/out/anna/person.txt", "hello");
  EXPECT_TRUE(desk.write("hello", "anna/person.txt"));
  EXPECT_TRUE(desk.ledger.last_output("/out/anna/person.txt"));
}

TEST(OutputWriter, TellsThatAFileIsWhereAFolderIsNeeded) {
  Desk desk;
  desk.files.put("/out/anna", "a file");
  EXPECT_EQ(desk.error("hello", "anna/person.txt"),
            "/out/anna: a file is where the output 'anna/person.txt' needs a folder; move it away or choose another "
            "--out");
  desk.files.put("/out/ben/model", "a file");
  EXPECT_EQ(desk.error("hello", "ben/model/", true),
            "/out/ben/model: a file is where the output 'ben/model/' is to be written; move it away or choose another "
            "--out");
  desk.files.put("/out/cleo/person.txt/inside.txt", "in a folder");
  EXPECT_EQ(desk.error("hello", "cleo/person.txt"),
            "/out/cleo/person.txt: a folder is where the output 'cleo/person.txt' is to be written; move it away or "
            "choose another --out");
}

TEST(OutputWriter, RefusesAPathThatLeadsOutOfTheFolder) {
  Desk desk;
  EXPECT_EQ(desk.error("x", "../person.txt"), "output '../person.txt' leads out of /out");
  EXPECT_EQ(desk.error("x", "anna/../../person.txt"), "output '../person.txt' leads out of /out");
  EXPECT_EQ(desk.error("x", "/etc/person.txt"), "output '/etc/person.txt' leads out of /out");
}

TEST(OutputWriter, LeavesNothingWhereTheDiskIsFull) {
  Desk desk;
  desk.files.set_capacity(3);
  EXPECT_FALSE(desk.write("much more than fits", "anna/person.txt"));
  EXPECT_EQ(desk.text("/out/anna/person.txt"), "(none)");
}

// As libraries do: it says that it failed, not why.
class TacitType final : public PortType {
 public:
  std::string_view name() const override { return "tacit"; }
  Expected<void> write(const Artifact&, const std::filesystem::path& path, std::string_view) const override {
    return failure(path.string() + ": cannot be written", ErrorKind::transient);
  }
};

TEST(OutputWriter, SeesOnTheDiskItselfThatALibraryFailedForLackOfRoom) {
  Desk desk;
  const auto kind = [&] { return desk.writer().write({}, {}, TacitType(), "anna/model/").error().kind; };
  EXPECT_EQ(kind(), ErrorKind::transient);
  desk.files.set_capacity(1000);
  EXPECT_EQ(kind(), ErrorKind::disk_full);
}

TEST(OutputWriter, WritesWhatAPowerCutDoesNotTake) {
  Desk desk;
  ASSERT_TRUE(desk.write("hello", "anna/model/", true));
  ASSERT_TRUE(desk.write("hello", "anna/deep/person.txt"));
  desk.files.end_all(MemoryFiles::Loss::unsynced);
  EXPECT_EQ(desk.text("/out/anna/model/blend.txt"), "hello");
  EXPECT_EQ(desk.text("/out/anna/deep/person.txt"), "hello");
}

// A type that writes as libraries do: with the rights the process has by default.
class PublicType final : public PortType {
 public:
  std::string_view name() const override { return "public"; }
  Expected<void> write(const Artifact&, const std::filesystem::path& path, std::string_view) const override {
    std::filesystem::create_directories(path / "inner");
    FILE* const file = std::fopen((path / "inner" / "picture.png").c_str(), "w");
    std::fputs("x", file);
    std::fclose(file);
    return {};
  }
};

TEST(OutputWriter, MakesOutputsReadableByTheirOwnerOnly) {
  const TemporaryFolder folder;
  const auto files = make_posix_files();
  MemoryLedger ledger;
  OutputWriter writer(*files, ledger, [](const auto&) -> Expected<Digest> { return Digest{}; }, folder.path());
  const auto old_mask = ::umask(0);
  ASSERT_TRUE(writer.write({}, {}, PublicType(), "anna/pictures/"));
  ::umask(old_mask);
  using std::filesystem::perms;
  const auto rights = [&](const char* path) { return std::filesystem::status(folder.path() / path).permissions(); };
  EXPECT_EQ(rights("anna"), perms::owner_all);
  EXPECT_EQ(rights("anna/pictures"), perms::owner_all);
  EXPECT_EQ(rights("anna/pictures/inner"), perms::owner_all);
  EXPECT_EQ(rights("anna/pictures/inner/picture.png"), perms::owner_read | perms::owner_write);
}

}  // namespace
}  // namespace atelier
