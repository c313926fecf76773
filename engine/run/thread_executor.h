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
  ThreadExecutor(std::size_t devices, std::size_t cpu_threads, Body body);
  ~ThreadExecutor() override;  // waits for what was started

  void start(const Assignment& assignment, Done done) override;

 private:
  class Lane;
  Body body_;
  std::vector<std::unique_ptr<Lane>> devices_;
  std::unique_ptr<Lane> cpu_;
};

}  // namespace atelier
