// Nights on a real disk, with the real store and ledger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <thread>

#include "disk_studio.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

TEST(RunOnDisk, DoesNothingTwice) {
  const TemporaryFolder folder;
  DiskStudio first(folder.path());
  const auto result = first.run();
  ASSERT_EQ(result.exit_code, 0) << result.summary;
  DiskStudio second(folder.path());
  const auto again = second.run();
  EXPECT_EQ(again.exit_code, 0) << again.summary;
  EXPECT_EQ(again.executed, 0U);
  EXPECT_EQ(second.probe->runs(), 0);
  EXPECT_EQ(first.outputs().size(), 10U);
  RunWorld in_memory;
  in_memory.run();
  EXPECT_EQ(first.outputs(), in_memory.outputs());
}

TEST(RunOnDisk, LetsNobodyElseReadWhatItWrites) {
  const TemporaryFolder folder;
  DiskStudio studio(folder.path());
  studio.batch.customers[1].inputs["photos"] = folder.path() / "studio" / "ben";
  std::ofstream(folder.path() / "studio/ben/one.txt") << "this must fail";
  for (const char* made_by_hand : {"anna", "runs"}) {
    fs::create_directories(studio.options.out / made_by_hand);
    fs::permissions(studio.options.out / made_by_hand, fs::perms::all);
  }
  ASSERT_EQ(studio.run().exit_code, 1);
  constexpr auto kFile = fs::perms::owner_read | fs::perms::owner_write;
  std::set<std::string> seen;
  for (const fs::path& below : {studio.options.out, folder.path() / "cache"})
    for (const auto& entry : fs::recursive_directory_iterator(below)) {
      EXPECT_EQ(entry.status().permissions(), entry.is_directory() ? fs::perms::owner_all : kFile) << entry.path();
      seen.insert(entry.path().extension());
    }
  for (const char* kind : {".txt", ".jsonl", ".log", ".h5", ".sqlite"}) EXPECT_TRUE(seen.contains(kind)) << kind;
}

TEST(RunOnDisk, MakesDamagedContentAgainAndComesToTheSameOutputs) {
  const TemporaryFolder folder;
  DiskStudio undisturbed(folder.path());
  ASSERT_EQ(undisturbed.run().exit_code, 0);
  const auto expected = undisturbed.outputs();

  // One bit of the largest datasets' files flips, and an output goes, so that their content is read again.
  std::vector<Digest> trained;
  for (const auto& finished : undisturbed.recorder.all<TaskFinished>())
    if (finished.task.name.starts_with("person/")) trained.push_back(finished.key);
  int damaged = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path() / "cache")) {
    const bool one = entry.is_regular_file() && entry.path().string().find(trained[0].hex()) != std::string::npos &&
                     entry.file_size() > 512;
    if (!one) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-1, std::ios::end);
    const char last = static_cast<char>(file.get());
    file.seekp(-1, std::ios::end);
    file.put(static_cast<char>(last ^ 1));
    ++damaged;
  }
  ASSERT_EQ(damaged, 1);
  for (const char* id : {"anna", "ben", "cleo"}) fs::remove_all(undisturbed.options.out / id / "model");

  DiskStudio again(folder.path());
  const auto result = again.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  EXPECT_EQ(again.recorder.all<WaveStarted>().size(), 2U);
  EXPECT_EQ(again.probe->runs("learn"), 1);
  EXPECT_EQ(again.told.size(), 1U) << "that content was damaged";
  EXPECT_EQ(again.outputs(), expected);
}

TEST(RunOnDisk, ComputesAKeyOnceForTwoRunsAtTheSameTime) {
  const TemporaryFolder folder;
  DiskStudio one(folder.path(), "one"), two(folder.path(), "two");
  RunResult first, second;
  std::thread other([&] { second = two.run(); });
  first = one.run();
  other.join();
  EXPECT_EQ(first.exit_code, 0) << first.summary;
  EXPECT_EQ(second.exit_code, 0) << second.summary;
  EXPECT_EQ(one.probe->runs("learn") + two.probe->runs("learn"), 4);
  EXPECT_EQ(one.outputs(), two.outputs());
}

}  // namespace
}  // namespace atelier
