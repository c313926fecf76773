// run: where tasks run, a seam: threads of this process here; a worker process per device, or a batch system's job,
// later.
#pragma once
#include <functional>
#include <memory>

#include "run/attempt.h"
#include "run/scheduler.h"
#include "run/task_result.h"

namespace atelier {

struct Assignment {
  Admission admission{};
  int number = 1;  // of the try
  std::shared_ptr<Attempt> attempt{};
};

class Executor {
 public:
  using Done = std::function<void(const Assignment&, TaskResult)>;
  virtual ~Executor() = default;
  // Starts a task and returns at once. `done` is called exactly once, later and from another thread, whatever happens;
  // it never throws.
  virtual void start(const Assignment& assignment, Done done) = 0;
  // Ends a running task by force, where it runs in a process of its own: `done` follows. False where it cannot be
  // ended.
  virtual bool kill(const Assignment& assignment) = 0;
  // Nobody waits for the task any more, which may never end; `done` may still be called. What it held is lost, and so
  // is its device: no other task will be assigned to it.
  virtual void give_up(const Assignment& assignment) = 0;
};

}  // namespace atelier
