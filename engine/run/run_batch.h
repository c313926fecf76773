// run: a batch from its plan to its end: the room's one way in for the command line.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "artifact/owned_path.h"
#include "artifact/store.h"
#include "base/clock.h"
#include "base/files.h"
#include "graph/node.h"
#include "pipeline/batch.h"
#include "plan/costs.h"
#include "run/devices.h"
#include "run/events.h"
#include "run/stop_token.h"
#include "run/ticker.h"
#include "run/workers.h"

namespace atelier {

struct RunOptions {
  std::filesystem::path out{};        // absolute
  std::vector<std::string> only{};    // ids; empty: all customers
  std::vector<DeviceName> devices{};  // of parse_devices(); one named again is another slot of it
  Machine machine;                    // machine.cores is what --cores gives or the machine has
  int threads_per_device = 1;         // results are equal to the bit only for equal ones
  std::size_t window = 0;             // customers open at once; 0: four per device, at least eight
  int retries = 3;                    // of what is transient, where the step does not say
  int most_waves = 3;
  std::size_t most_failed_customers = 0;                      // after so many the run stops itself; 0: never
  std::chrono::seconds hung_after{0};                         // without a sign of life a task is given up; 0: never
  std::chrono::seconds grace{20};                             // for tasks that run when a stop is asked for
  std::uint64_t least_free_bytes = std::uint64_t{256} << 20;  // below it the run stops itself
  std::vector<std::filesystem::path> watched_folders{};       // where that must be free, beside `out`: the cache
  std::filesystem::path cache{};                              // told in the record, so that a report finds its pictures
  std::map<std::string, std::string> versions{};              // told in the record
};

struct RunSeams {  // all must outlive the run
  const NodeRegistry& registry;
  Store& store;
  Ledger& ledger;
  Files& files;
  const Clock& clock;
  Ticker& ticker;
  StopToken& stop;
  std::vector<Observer*> observers{};  // Progress and what else looks on
  // Called from the ticker's thread when tasks do not heed a stop: on the second signal, or when the grace is over. The
  // event log is written up to here. The command line ends the process with the code; nothing that finished is lost.
  std::function<void(int exit_code)> abandon{};
  // Told the keys that the run uses, as they become known, so that a collection of garbage leaves them alone. May be
  // empty.
  std::function<Expected<void>(std::span<const Digest>)> hold{};
  // Told whose the files are that the run reads and writes, so that a customer can be purged. May be empty.
  std::function<Expected<void>(std::span<const OwnedPath>)> own_paths{};
  MeasuredCosts costs{};  // of earlier runs: what tasks are expected to take orders them
  // Where tasks that hold a device run: one worker per device. Null: in this process.
  Workers* workers = nullptr;
};

enum class ExitCode {
  succeeded = 0,  // every customer
  some_failed = 1,
  wrong = 2,  // nothing was run because what was given is wrong
  all_failed = 3,
  stopped_itself = 4,  // resumable
};

struct RunResult {
  int exit_code = 0;                      // an ExitCode, or 128 + the signal that stopped the run
  std::filesystem::path folder{};         // of the run; empty where nothing was run
  std::string summary{};                  // for people: lines, each ended; where nothing was run, why
  std::size_t executed = 0;               // tasks that ran and outputs that were written
  std::size_t succeeded = 0, failed = 0;  // customers
  // A task was given up whose thread may still run, on all that the seams name: end the process, let nothing go.
  bool left_behind = false;
};

// Runs a batch. Throws nothing: what goes wrong is in the result.
RunResult run_batch(const RunOptions& options, const Batch& batch, const RunSeams& seams);

}  // namespace atelier
