// run: the executor of this process: one thread per device, so that a device's tasks keep their thread (and what
// libraries keep by thread), and a pool for the CPU tasks.
#pragma once
#include <memory>
#include <vector>

#include "run/executor.h"

namespace atelier {

class ThreadExecutor final : public Executor {
 public:
  // `body` runs a task to its end and throws nothing; it is called from many threads at once.
  using Body = std::function<TaskResult(const Assignment&)>;
  // `cpu_threads`: how many CPU tasks may run at once, as many as the Scheduler may admit.
  // `kill` ends what a body waits for in another process; false where it waits for none.
  using Kill = std::function<bool(const Assignment&)>;
  ThreadExecutor(std::size_t devices, std::size_t cpu_threads, Body body, Kill kill = {});
  // Waits for what was started, but for what was given up: its thread goes on, and what `body` uses must stay.
  ~ThreadExecutor() override;

  void start(const Assignment& assignment, Done done) override;
  bool kill(const Assignment& assignment) override { return kill_ && kill_(assignment); }
  void give_up(const Assignment& assignment) override;

 private:
  class Lane;
  Lane& lane_of(const Assignment& assignment) const;

  std::vector<std::unique_ptr<Lane>> devices_;
  std::unique_ptr<Lane> cpu_;
  Kill kill_;
};

}  // namespace atelier
