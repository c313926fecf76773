// run: how far a night is, from its events alone: who is done, what runs and how fast, how long the rest will take.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "run/events.h"
#include "run/pace.h"
#include "run/time_left.h"

namespace atelier {

struct RunningTask {
  std::string name{}, device{};  // "cpu" where none is held
  std::string what{};            // "step 412/800"; empty where the task tells nothing
  std::string metric{};          // its first: "loss"; empty where there is none
  double value = 0;              // of the metric, the latest
  std::optional<double> steps_per_s{}, left_s{};
};

struct NightView {
  std::size_t customers = 0, customers_done = 0, customers_failed = 0;  // failed ones are done too
  std::size_t tasks = 0, tasks_done = 0;
  std::optional<double> left_s{};      // of the whole night; empty at its very beginning and once it is being stopped
  std::vector<RunningTask> running{};  // those that hold a device first, by device
};

// {customers, customers_done, customers_failed, tasks, tasks_done, left_s?, running [{task, device, what?, metric?,
// value?, steps_per_s?, left_s?}]}.
nlohmann::ordered_json to_json(const NightView& view);

// Tasks that did not start yet take what was expected of them, in the ratio of what tonight's tasks of their node took
// of late to what was expected of those; what runs goes on at its recent pace.
class NightWatch {
 public:
  void on(const Event& event);
  NightView view();  // at the time of the latest event

 private:
  enum class State : std::uint8_t { ahead, runs, ended };
  struct Known {
    float expected_s = 0;
    std::uint32_t node = 0;                     // into ratios_
    std::uint32_t first_after = 0, afters = 0;  // in after_
    bool on_device = false;
    State state = State::ended;
  };
  struct Running {
    std::string name{}, device{}, what{}, metric{};
    double value = 0, started_s = 0;
    Pace fraction{}, steps{};
  };
  struct Ratios {  // of what tasks of a node took to what was expected
    std::string node{};
    std::deque<double> recent{};
  };
  void see(const RunStarted& event);
  void see(const WaveStarted& event);
  void see(const TaskPlanned& event);
  void see(const TaskStarted& event);
  void see(const TaskProgress& event);
  void see(const TaskMetric& event);
  void see(const TaskFinished& event);
  void see(const TaskReused& event);
  void see(const TaskRetried& event);
  void see(const CustomerFinished& event);
  void see(const StopRequested&) { stopping_ = true; }
  void see(const TaskFailed& event) { end(event.task); }
  void see(const TaskSkipped& event) { end(event.task); }
  void see(const TaskStopped& event) { end(event.task); }
  void see(const TaskInputLost& event) { end(event.task); }
  void see(const OutputWritten& event) { end(event.task); }
  void see(const TaskWarning&) {}
  void see(const TaskPreview&) {}
  void see(const RunFinished&) {}

  void end(const TaskRef& task);
  std::uint32_t node_place(const std::string& node);
  std::optional<double> left_of(const Running& running) const;
  std::optional<double> whole_of(const Running& running) const;
  std::vector<double> ratios_now() const;
  NightAhead ahead() const;
  std::optional<double> night_left_s();
  RunningTask shown(const Running& running) const;

  std::vector<Known> known_;          // by task id
  std::vector<std::uint32_t> after_;  // what the tasks depend on, one task's after the other's
  std::vector<Ratios> ratios_;
  std::map<std::uint32_t, Running> running_;
  std::size_t customers_ = 0, customers_done_ = 0, customers_failed_ = 0, tasks_ = 0, tasks_done_ = 0;
  std::size_t devices_ = 1, cpu_tasks_ = 1;
  double began_s_ = 0, now_s_ = 0;
  bool stopping_ = false;
  std::optional<double> left_s_;
  double left_at_s_ = 0;  // when that was found
};

}  // namespace atelier
