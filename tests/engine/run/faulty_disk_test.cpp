// A whole night on a disk that fails at its Nth operation, for every N: what was told as finished is kept, nothing
// wrong is ever taken for right, and the next run on a healthy disk comes to the outputs of an undisturbed one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/hdf5_store.h"
#include "run_world.h"
#include "support/faulty_files.h"

namespace atelier {
namespace {

using ::testing::AnyOf;
using ::testing::IsEmpty;

// The small studio with the real store, on a disk in memory that can be made to fail.
class FaultyNight {
 public:
  FaultyNight() {
    options.out = "/out";
    options.machine.cores = 1;
    options.devices = {{false, 0}};
    options.least_free_bytes = 1;
    batch.customers.resize(2);  // fewer operations, none of another kind
  }

  // Nothing where the store cannot be opened.
  std::optional<RunResult> run() {
    recorder.events.clear();
    told.clear();
    const auto store = Hdf5Store::open(files, "/cache", [this](const std::string& text) { told.push_back(text); });
    if (!store) return std::nullopt;
    StopToken stop;
    FastTicker fast(clock);
    IdleTicker idle;
    auto result = run_batch(options, batch,
                            {.registry = registry,
                             .store = **store,
                             .ledger = ledger,
                             .files = files,
                             .clock = clock,
                             .ticker = beats ? static_cast<Ticker&>(fast) : idle,
                             .stop = stop,
                             .observers = {&recorder},
                             .abandon = {}});
    for (const auto& finished : recorder.all<TaskFinished>()) ++finishes[finished.key.hex() + ' ' + finished.task.name];
    return result;
  }
  std::map<std::string, std::string> outputs() const {
    std::map<std::string, std::string> all;
    for (const auto& path : disk.all_files()) {
      const auto relative = path.lexically_relative(options.out).generic_string();
      if (!relative.starts_with("..") && !relative.starts_with("runs")) all[relative] = *disk.text(path);
    }
    return all;
  }
  std::vector<std::string> finished_twice() const {
    std::vector<std::string> twice;
    for (const auto& [task, times] : finishes)
      if (times > 1) twice.push_back(task);
    return twice;
  }

  MemoryFiles disk;
  FaultyFiles files{disk};
  MemoryLedger rows;
  FaultyLedger ledger{rows, files};
  ManualClock clock;
  std::shared_ptr<TestProbe> probe = std::make_shared<TestProbe>();
  NodeRegistry registry = make_test_registry(files, probe);
  Batch batch = make_night(disk, registry, "/studio");
  RunOptions options;
  bool beats = true;  // what beats also writes now and then
  Recorder recorder;
  std::vector<std::string> told;        // by the store, in the last run
  std::map<std::string, int> finishes;  // "key task", in all runs
};

struct Undisturbed {
  Undisturbed() {
    night.beats = false;
    night.files.plan(DiskFault::none, 0);
    night.run();
    operations = night.files.operations();
  }
  FaultyNight night;
  std::size_t operations = 0;
};

const Undisturbed& undisturbed() {
  static const Undisturbed once;
  return once;
}

// What the ledger says of a key, and what the store holds of it, is what an undisturbed night made.
void expect_nothing_wrong_kept(FaultyNight& night) {
  night.files.heal();
  const auto store = Hdf5Store::open(night.files, "/cache", [](const std::string&) {}).value();
  for (const auto& finished : undisturbed().night.recorder.all<TaskFinished>()) {
    const auto record = night.rows.find(finished.key);
    ASSERT_TRUE(record) << finished.task.name;
    EXPECT_EQ(record->outputs, finished.outputs) << finished.task.name;
    const auto kept = store->get(finished.key);
    if (!kept) continue;
    for (const auto& [port, artifact] : *kept)
      EXPECT_EQ(digest_of(artifact), finished.outputs.at(port).digest) << finished.task.name << ' ' << port;
  }
}

// Nothing left over: neither half a file nor a folder that should be gone.
void expect_no_leftovers(const FaultyNight& night) {
  for (const auto& path : night.disk.all_files())
    EXPECT_FALSE(path.filename().native().starts_with('.')) << path << " is a leftover";
}

void expect_well_again(FaultyNight& night, MemoryFiles::Loss loss = MemoryFiles::Loss::nothing) {
  night.files.heal();
  night.disk.end_all(loss);
  const auto again = night.run();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->exit_code, 0) << again->summary;
  EXPECT_EQ(night.outputs(), undisturbed().night.outputs());
}

// The param: every how manieth operation.
class FaultyDisk : public ::testing::TestWithParam<std::size_t> {
 protected:
  // Calls `check` with N = 1, 1 + the param … until it says that N is beyond the night's end.
  template <class Check>
  void for_every_operation(const Check& check) {
    std::size_t struck = 0;
    for (std::size_t n = 1;; n += GetParam(), ++struck) {
      SCOPED_TRACE("operation " + std::to_string(n));
      FaultyNight night;
      if (!check(night, n)) break;
      if (HasFailure()) return;
    }
    EXPECT_GT(struck * GetParam(), 30U) << "the night is too short for this to mean something";
  }
  void ends_at_every_operation(MemoryFiles::Loss loss);
};
INSTANTIATE_TEST_SUITE_P(AQuarter, FaultyDisk, ::testing::Values(4U));
INSTANTIATE_TEST_SUITE_P(LongAll, FaultyDisk, ::testing::Values(1U));

TEST(FaultyDiskNight, TakesFewOperations) {
  EXPECT_EQ(undisturbed().night.outputs().size(), 7U);
  EXPECT_LT(undisturbed().operations, 500U);
}

TEST_P(FaultyDisk, AnOperationThatFailsInPassingCostsNoTask) {
  for_every_operation([](FaultyNight& night, std::size_t n) {
    night.files.plan(DiskFault::fails, n);
    const auto result = night.run();
    if (!night.files.struck()) return false;
    if (!night.recorder.all<WaveStarted>().empty()) {
      EXPECT_EQ(result->exit_code, 0) << result->summary;
      EXPECT_THAT(night.recorder.all<TaskFailed>(), IsEmpty());
    }
    expect_well_again(night);
    EXPECT_THAT(night.finished_twice(), IsEmpty());
    expect_nothing_wrong_kept(night);
    return true;
  });
}

TEST_P(FaultyDisk, ADiskThatFillsUpStopsTheRunAndCostsNothingThatWasFinished) {
  for_every_operation([](FaultyNight& night, std::size_t n) {
    night.files.plan(DiskFault::fills, n);
    const auto result = night.run();
    if (!night.files.struck()) return false;
    EXPECT_THAT(night.recorder.all<TaskFailed>(), IsEmpty());
    if (!night.recorder.all<WaveStarted>().empty()) {
      EXPECT_THAT(result->exit_code, AnyOf(4, 0)) << result->summary;
    }
    expect_well_again(night);
    expect_no_leftovers(night);
    EXPECT_THAT(night.finished_twice(), IsEmpty());
    expect_nothing_wrong_kept(night);
    return true;
  });
}

TEST_P(FaultyDisk, ATornWriteIntoTheCacheIsNeverTakenForContent) {
  for_every_operation([](FaultyNight& night, std::size_t n) {
    night.files.plan(DiskFault::tears, n, "/cache");
    const auto result = night.run();
    if (!night.files.struck()) return false;
    EXPECT_EQ(result->exit_code, 0) << result->summary;
    const bool found = !night.told.empty();
    expect_well_again(night);
    if (!found && night.told.empty()) {
      EXPECT_THAT(night.finished_twice(), IsEmpty());
    }
    expect_nothing_wrong_kept(night);
    return true;
  });
}

void FaultyDisk::ends_at_every_operation(MemoryFiles::Loss loss) {
  for_every_operation([&](FaultyNight& night, std::size_t n) {
    night.files.plan(DiskFault::dies, n);
    (void)night.run();
    if (!night.files.struck()) return false;
    expect_well_again(night, loss);
    EXPECT_THAT(night.told, IsEmpty()) << "no content is damaged by that";
    expect_no_leftovers(night);
    EXPECT_THAT(night.finished_twice(), IsEmpty());
    expect_nothing_wrong_kept(night);
    return true;
  });
}

TEST_P(FaultyDisk, AKilledProcessLosesNothingThatWasFinished) { ends_at_every_operation(MemoryFiles::Loss::nothing); }

TEST_P(FaultyDisk, APowerCutThatLosesLateBytesLosesNothingThatWasFinished) {
  ends_at_every_operation(MemoryFiles::Loss::late_bytes);
}

TEST_P(FaultyDisk, APowerCutLosesNothingThatWasFinished) { ends_at_every_operation(MemoryFiles::Loss::unsynced); }

}  // namespace
}  // namespace atelier
