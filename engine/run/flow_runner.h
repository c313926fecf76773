// run: drives a plan through a flow graph; the only user of tbb::flow.
//
// The graph mirrors the pipeline: for each step (and output) one async_node, its work, before it a gate, and an edge
// from a step's work to the gate of each step that it feeds. Messages are task ids, never data; results sit in the
// run's table.
//
//   work(s) --task ended--> gate(t) --task whose last dependency ended--> work(t)
//
// - A gate counts down, for each task of its step that depends on the arrived one; it runs serially, so its counters
//   need no lock.
// - The body of `work` reserves a wait on the graph, hands the task to the Scheduler and returns. A task that is
// blocked
//   by a failure is answered at once instead.
// - When no message is under way, the Scheduler is asked what starts, and the Executor starts it. Asking earlier would
//   admit what came first, not what stands first.
// - The Executor's answer is recorded, put to the gateway of the step's node, and the wait released. The graph is done
//   when every task has ended.
// - No body lets an exception out, which would cancel the whole graph: it stops the run, with the exception's text as
//   the reason.
#pragma once
#include <functional>
#include <memory>

#include "base/clock.h"
#include "plan/plan.h"
#include "run/executor.h"
#include "run/scheduler.h"
#include "run/stop_token.h"
#include "run/task_result.h"

namespace atelier {

// What a task may have.
struct TaskLimits {
  int retries = 0;                                // of what is transient
  std::optional<std::chrono::seconds> timeout{};  // of each try; absent: any time
};

// What the FlowRunner asks of the run, by one thread at a time.
class FlowTasks {
 public:
  virtual ~FlowTasks() = default;
  // How a task ends without being started; empty: it may start.
  virtual std::optional<TaskResult> blocked(TaskId task) = 0;
  virtual void ended(TaskId task, TaskResult result) = 0;
  virtual void retried(TaskId task, const TaskResult& result, int attempt, std::chrono::milliseconds delay,
                       bool alone) = 0;
  virtual TaskLimits limits(TaskId task) const = 0;
  // How a task ends that gives no sign of life and is given up, with its device.
  virtual TaskResult hung(const Assignment& assignment) = 0;
};

class FlowRunner {
 public:
  // All must outlive it. A task that gives no sign of life for `hung_after` is given up; 0: none is.
  FlowRunner(const Plan& plan, Scheduler& scheduler, Executor& executor, FlowTasks& tasks, const Clock& clock,
             StopToken& stop, std::chrono::seconds hung_after);
  ~FlowRunner();

  // Runs every task that has not been `settled` before; returns when all have ended.
  void run(const std::vector<bool>& settled);
  // To be called now and then from another thread while run() runs: starts what has become due, sees a stop and what
  // hangs.
  void beat();

 private:
  class Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace atelier
