// Nights on a real disk, with the real store and ledger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "cache/cache.h"
#include "run_world.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

// One "process": its own handles on a cache that others may use too.
struct Studio {
  explicit Studio(fs::path where, const std::string& out_name = "out") : folder(std::move(where)) {
    options.out = folder / out_name;
    options.machine.cores = 2;
    options.devices = {{false, 0}, {false, 1}};
  }

  RunResult run() {
    recorder.events.clear();
    auto cache = open_cache(
        *files, folder / "cache", [this](const std::string& text) { told.push_back(text); }, clock);
    if (!cache) throw std::runtime_error(cache.error().message);
    StopToken stop;
    ThreadTicker ticker(std::chrono::milliseconds(5));
    return run_batch(options, batch,
                     {.registry = registry,
                      .store = (*cache)->store(),
                      .ledger = (*cache)->ledger(),
                      .files = *files,
                      .clock = clock,
                      .ticker = ticker,
                      .stop = stop,
                      .observers = {&recorder},
                      .abandon = {}});
  }
  std::map<std::string, std::string> outputs() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(options.out)) {
      const auto relative = entry.path().lexically_relative(options.out).generic_string();
      if (!entry.is_regular_file() || relative.starts_with("runs")) continue;
      all[relative] = read_text(*files, entry.path()).value();
    }
    return all;
  }

  fs::path folder;
  std::unique_ptr<Files> files = make_posix_files();
  SystemClock clock;
  std::shared_ptr<TestProbe> probe = std::make_shared<TestProbe>();
  NodeRegistry registry = make_test_registry(*files, probe);
  Batch batch = make_night(*files, registry, folder / "studio");
  RunOptions options;
  Recorder recorder;
  std::vector<std::string> told;
};

TEST(RunOnDisk, DoesNothingTwice) {
  const TemporaryFolder folder;
  Studio first(folder.path());
  const auto result = first.run();
  ASSERT_EQ(result.exit_code, 0) << result.summary;
  Studio second(folder.path());
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
  Studio studio(folder.path());
  studio.batch.customers[1].inputs["photos"] = folder.path() / "studio" / "ben";
  std::ofstream(folder.path() / "studio/ben/one.txt") << "this must fail";
  ASSERT_EQ(studio.run().exit_code, 1);
  for (const auto& entry : fs::recursive_directory_iterator(studio.options.out))
    EXPECT_EQ(entry.status().permissions() & (fs::perms::group_all | fs::perms::others_all), fs::perms::none)
        << entry.path();
}

TEST(RunOnDisk, MakesDamagedContentAgainAndComesToTheSameOutputs) {
  const TemporaryFolder folder;
  Studio undisturbed(folder.path());
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

  Studio again(folder.path());
  const auto result = again.run();
  EXPECT_EQ(result.exit_code, 0) << result.summary;
  EXPECT_EQ(again.recorder.all<WaveStarted>().size(), 2U);
  EXPECT_EQ(again.probe->runs("learn"), 1);
  EXPECT_EQ(again.told.size(), 1U) << "that content was damaged";
  EXPECT_EQ(again.outputs(), expected);
}

TEST(RunOnDisk, ComputesAKeyOnceForTwoRunsAtTheSameTime) {
  const TemporaryFolder folder;
  Studio one(folder.path(), "one"), two(folder.path(), "two");
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
