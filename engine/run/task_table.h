// run: the run's table: how each task of a wave ended, what follows from it for those that depend on it and for the
// customers. Tells every end as an event. `end` and `blocked` are called by one thread at a time; results of tasks that
// have ended may be read by the tasks that depend on them.
#pragma once
#include <set>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "plan/planner.h"
#include "run/event_bus.h"
#include "run/task_result.h"

namespace atelier {

// What is known of a run across its waves.
struct KnownFailure {
  std::string task{}, why{}, log{};
};
struct RunHistory {
  Clock::Instant started{};
  std::unordered_map<Digest, KnownFailure> failures;  // by key and by recipe
  std::set<std::uint32_t> finished_customers{};
  std::size_t failed_customers = 0;
  bool batch_task_failed = false;  // something that is no customer's alone
  std::size_t executed = 0;        // tasks that ran, outputs that were written
};

class TaskTable {
 public:
  // All must outlive it.
  TaskTable(const Plan& plan, const Batch& batch, int wave, RunHistory& history, EventBus& events, const Clock& clock);

  const TaskResult& result(TaskId id) const { return results_[index_of(id)]; }
  // The record of a task that ended well, as planning asks for it.
  FinishedRecord records() const;
  TaskRef ref(TaskId id) const;
  // How many customers need it.
  std::size_t customers(TaskId id) const { return customers_of_[index_of(id)].size(); }

  // How a task ends without being started because of what it depends on; empty: it may start. All its dependencies have
  // ended.
  std::optional<TaskResult> blocked(TaskId id) const;
  // Records an end and tells it, and which customers are finished with it.
  void end(TaskId id, TaskResult result);

  bool any_lost() const { return lost_ > 0; }
  std::size_t failed_customers() const { return history_.failed_customers; }

 private:
  struct CustomerState {
    std::uint32_t left = 0;
    bool failed = false, stopped = false, lost = false;
  };
  void tell(TaskId id, const TaskResult& result);
  void note_failure(TaskId id, const TaskResult& result);
  void count_for_customers(TaskId id, const TaskResult& result);
  void finish_customer(std::uint32_t customer);
  void tell_why(std::uint32_t customer, CustomerFinished& told) const;
  TaskId root_cause(TaskId id) const;

  const Plan& plan_;
  const Batch& batch_;
  int wave_;
  RunHistory& history_;
  EventBus& events_;
  const Clock& clock_;
  std::vector<TaskResult> results_;
  std::vector<std::vector<std::uint32_t>> customers_of_;  // by task: whose success needs it
  std::vector<CustomerState> customers_;
  std::size_t lost_ = 0;
};

}  // namespace atelier
