// run: the vocabulary of events. A run tells what it does in these words and in no others: one JSON object a line in
// OUT/runs/<run>/events.jsonl, and the same values to every observer. A change of what a word means raises the version;
// a new word or field does not.
//
// Every line has "event", "time" (seconds since the epoch) and, where it is about a task, "task" (its name for people),
// "id" and "wave" (in another wave the same work may have another id).
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "artifact/store.h"
#include "base/digest.h"

namespace atelier {

inline constexpr int events_version = 2;  // 2: a preview is in the cache, no longer a file in the run's folder

struct TaskRef {
  std::uint32_t id = 0;
  int wave = 1;
  std::string name{};  // "portrait/anna"
};

struct RunStarted {
  std::string run{}, batch{}, pipeline{}, out{}, folder{};  // folder: the run's own
  std::size_t customers = 0;
  std::vector<std::string> devices{};
  int cores = 1;
  std::size_t window = 0;
  int threads_per_device = 1;
  std::string cache{};                            // its folder
  std::vector<std::string> customer_ids{};        // those of this run
  std::map<std::string, std::string> params{};    // of the batch, as a user would write them
  std::map<std::string, std::string> versions{};  // of the program and the libraries it stands on
};
// The graph is about to run. `guess_s` is the sum of the guesses of what may have to run.
struct WaveStarted {
  int wave = 1;
  std::size_t tasks = 0, to_run = 0, waiting = 0, reused = 0, skipped = 0;
  double guess_s = 0;
};
// A task of the wave, told before any starts.
struct TaskPlanned {
  TaskRef task{};
  std::string step{}, node{};            // of an output the node is empty
  std::vector<std::string> customers{};  // whose it is; empty: the batch's
  bool settled = false;                // it is reused, and nothing that feeds it runs; the rest is told of others only
  bool on_device = false;              // it will hold one
  double expected_s = 0;               // what it will take, from earlier runs or by its node's guess
  std::vector<std::uint32_t> after{};  // ids of the tasks that it depends on
};
struct TaskStarted {
  TaskRef task{};
  std::string node{}, device{}, reason{};  // of an output the node is empty; the device is "cpu" where none is held
  int threads = 1, attempt = 1;
  std::optional<Digest> key{};
  std::size_t customers = 0;
  double guess_s = 0;
};
struct TaskProgress {
  TaskRef task{};
  double fraction = 0;  // in [0, 1]
  std::string what{};
};
struct TaskMetric {
  TaskRef task{};
  std::string name{};
  std::int64_t step = 0;
  double value = 0;
};
struct TaskWarning {
  TaskRef task{};
  std::string text{};
  bool reused = false;  // told when the result was made, and again now
};
struct TaskPreview {
  TaskRef task{};
  std::string name{};
  Digest digest{};  // of the PNG
  Digest key{};     // of the task, whose result it belongs to (artifact/shown.h)
};
// Its result is durable: content and record before this line.
struct TaskFinished {
  TaskRef task{};
  Digest key{};
  double seconds = 0;
  std::map<std::string, OutputRecord> outputs{};
  std::size_t customers = 0;
};
struct TaskReused {
  TaskRef task{};
  std::string reason{};
  std::optional<Digest> key{};  // none of an output
  double saved_s = 0;
  std::size_t customers = 0;
  bool planned = false;               // known before the graph ran
  std::string made_in{};              // the run that made it, where that is known
  std::vector<std::string> curves{};  // what it measured then, by name
};
struct TaskRetried {
  TaskRef task{};
  std::string message{};
  int attempt = 1;  // that failed
  double delay_s = 0;
  bool alone = false;
};
struct TaskFailed {
  TaskRef task{};
  std::string kind{}, message{}, log{};  // log: relative to the run's folder, empty where there is none
  std::size_t customers = 0;             // 0: it is the batch's alone
};
struct TaskSkipped {
  TaskRef task{};
  std::string reason{};
};
struct TaskStopped {
  TaskRef task{};
  bool started = false;  // it ran, and what it saved in a checkpoint is kept
};
struct TaskInputLost {  // it goes on in another wave
  TaskRef task{};
  std::string message{};
};
struct OutputWritten {
  TaskRef task{};
  std::string path{}, reason{};
  Digest digest{};
  double seconds = 0;
};
struct CustomerFinished {
  enum class Result { succeeded, failed, stopped } result = Result::succeeded;
  std::string customer{};
  double seconds = 0;                       // since the run started
  std::string failed_task{}, why{}, log{};  // of the first failure
  std::vector<std::string> outputs{};       // paths relative to the out folder
};
struct StopRequested {
  int signal = 0;        // 0: the run stops itself
  std::string reason{};  // then
};
struct RunFinished {
  int exit_code = 0;
  double seconds = 0;
};

struct Event {
  double time_s = 0;  // since the epoch
  std::variant<RunStarted, WaveStarted, TaskPlanned, TaskStarted, TaskProgress, TaskMetric, TaskWarning, TaskPreview,
               TaskFinished, TaskReused, TaskRetried, TaskFailed, TaskSkipped, TaskStopped, TaskInputLost,
               OutputWritten, CustomerFinished, StopRequested, RunFinished>
      what;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&what);
  }
};

std::string_view name_of(const Event& event) noexcept;  // "task_finished"
nlohmann::ordered_json to_json(const Event& event);

// Sees everything, changes nothing. Called one event at a time.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on(const Event& event) = 0;
  virtual void beat() {}  // about every 100 ms
};

}  // namespace atelier
