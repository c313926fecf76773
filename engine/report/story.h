// report: what happened in a run, by task, customer and device: a value, made from events alone.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/thin_curve.h"
#include "run/events.h"

namespace atelier {

enum class TaskState { waiting, running, finished, reused, failed, skipped, stopped, lost };
std::string_view name_of(TaskState state) noexcept;

struct PreviewStory {
  std::string name{};
  Digest digest{};
};

struct TaskStory {
  std::string name{}, step{}, node{};    // of an output the node is empty
  std::vector<std::string> customers{};  // whose it is; empty: the batch's
  TaskState state = TaskState::waiting;
  std::string device{}, reason{};    // where and why it ran, or why it was reused
  std::string why{}, kind{}, log{};  // failed, skipped, lost
  std::string path{};                // of an output that was written
  std::string made_in{};             // reused: the run that made it
  std::string doing{};               // running: what it does, and how much of it is done
  double fraction = 0, seconds = 0, saved_s = 0;
  std::uint64_t bytes = 0;  // of the result it made
  int attempts = 0;
  std::optional<Digest> key{};
  std::vector<std::string> warnings{};
  std::vector<PreviewStory> previews{};
  std::map<std::string, ThinCurve> curves{};
  std::vector<std::string> curves_in_cache{};

  bool is_output() const { return node.empty(); }
};

// A task on a device, from its start to its end.
struct Span {
  std::size_t task = 0;
  std::string device{};
  double from_s = 0, to_s = 0;  // since the run began
  TaskState ended = TaskState::running;
};

struct CustomerStory {
  std::string id{};
  std::optional<CustomerFinished> end{};
};

struct RunStory {
  RunStarted opening{};
  double began_s = 0, last_s = 0;  // since the epoch: the first and the last event
  int waves = 0;
  std::size_t retries = 0;
  std::vector<TaskStory> tasks{};  // in the order of the plan
  std::vector<Span> spans{};       // in the order they began
  std::vector<CustomerStory> customers{};
  std::optional<StopRequested> stop{};
  std::optional<RunFinished> end{};

  double seconds() const { return end ? end->seconds : last_s - began_s; }
  std::size_t customers_that(CustomerFinished::Result result) const;
};

// Listens to a run's events, or to a record of them.
class StoryTeller {
 public:
  void on(const Event& event);
  const RunStory& story() const { return story_; }
  // The story up to here; what runs lasts until the last event.
  RunStory finish() &&;

 private:
  void see(const RunStarted& e);
  void see(const WaveStarted& e);
  void see(const TaskPlanned& e);
  void see(const TaskStarted& e);
  void see(const TaskProgress& e);
  void see(const TaskMetric& e);
  void see(const TaskWarning& e);
  void see(const TaskPreview& e);
  void see(const TaskFinished& e);
  void see(const TaskReused& e);
  void see(const TaskRetried& e);
  void see(const TaskFailed& e);
  void see(const TaskSkipped& e);
  void see(const TaskStopped& e);
  void see(const TaskInputLost& e);
  void see(const OutputWritten& e);
  void see(const CustomerFinished& e);
  void see(const StopRequested& e);
  void see(const RunFinished& e);

  TaskStory& task(const TaskRef& ref);
  TaskStory& end(const TaskRef& ref, TaskState state);
  CustomerStory& customer(const std::string& id);

  RunStory story_;
  std::map<std::string, std::size_t> tasks_, customers_;  // by name
  std::map<std::size_t, std::size_t> open_;               // task -> its span that has not ended
  double now_s_ = 0;                                      // since the run began
};

}  // namespace atelier
