// run: one plan, run once through the flow graph: what is reused settles first, the rest runs, content that nobody
// needs any more is dropped.
#pragma once
#include <memory>
#include <vector>

#include "plan/costs.h"
#include "run/flow_runner.h"
#include "run/intermediate_content.h"
#include "run/scheduler.h"
#include "run/task_runner.h"
#include "run/task_table.h"
#include "run/thread_executor.h"

namespace atelier {

struct WaveOptions {
  Capacity capacity{};
  std::size_t window = 0;                 // 0: default_window()
  int retries = 3;                        // of a step that does not say
  std::chrono::seconds hung_after{0};     // 0: never
  std::size_t most_failed_customers = 0;  // 0: no limit
  int number = 1;
  bool last = false;  // what is lost now has failed
};

class Wave final : private FlowTasks {
 public:
  // What a task's surroundings are but for the table, which is the wave's. All must outlive it.
  struct Surroundings {
    const Plan& plan;
    const Batch& batch;
    const NodeRegistry& registry;
    Store& store;
    Ledger& ledger;
    Files& files;
    const Clock& clock;
    const FileDigest& digest;
    const std::filesystem::path& out;
    const RunFolder& folder;
    EventBus& events;
    StopToken& stop;
    const RunDevices& devices;
    KeyLease& lease;
    RunHistory& history;
    const MeasuredCosts& costs;
    Workers* workers = nullptr;  // null: tasks run in this process
  };
  Wave(const Surroundings& around, const WaveOptions& options);

  void run();   // returns when every task has ended
  void beat();  // now and then, from another thread, while run() runs
  const TaskTable& table() const { return table_; }
  // Whether a task was given up whose thread may still use the wave and all that it was made with.
  bool left_behind() const { return left_behind_; }
  const std::vector<std::size_t>& drained() const { return drained_; }  // devices

 private:
  std::optional<TaskResult> blocked(TaskId task) override { return table_.blocked(task); }
  void ended(TaskId task, TaskResult result) override;
  void retried(TaskId task, const TaskResult& result, int attempt, std::chrono::milliseconds delay,
               bool alone) override;
  TaskLimits limits(TaskId task) const override;
  TaskResult hung(const Assignment& assignment) override;

  bool kill(const Assignment& assignment) const;
  std::vector<bool> find_settled() const;
  std::vector<SchedulerTask> scheduler_tasks() const;
  void settle(TaskId task);
  void tell_start() const;
  void tell_planned(const Task& task) const;

  Surroundings around_;
  WaveOptions options_;
  TaskTable table_;
  bool left_behind_ = false;
  std::vector<std::size_t> drained_;
  std::vector<bool> settled_;
  IntermediateContent content_;
  Scheduler scheduler_;
  TaskRunner tasks_;
  ThreadExecutor executor_;
  FlowRunner flow_;
};

}  // namespace atelier
