// run: where tasks run, a seam: threads of this process here; a worker process per device, or a batch system's job,
// later.
#pragma once
#include <functional>

#include "run/scheduler.h"
#include "run/task_result.h"

namespace atelier {

struct Assignment {
  Admission admission;
  int attempt = 1;
};

class Executor {
 public:
  using Done = std::function<void(const Assignment&, TaskResult)>;
  virtual ~Executor() = default;
  // Starts a task and returns at once. `done` is called exactly once, later and from another thread, whatever happens;
  // it never throws.
  virtual void start(const Assignment& assignment, Done done) = 0;
};

}  // namespace atelier
