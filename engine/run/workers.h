// run: worker processes, one per device (per slot of it, where several tasks may run there), as the run sees them. A
// crash in native code, a poisoned CUDA context or the kernel's out-of-memory killer costs the task that a worker is
// on, not the night.
#pragma once
#include <map>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/process.h"
#include "run/job_order.h"
#include "run/stop_token.h"
#include "run/task_context.h"

namespace atelier {

// The content is in the store.
struct Made {
  std::map<std::string, OutputRecord> outputs{};  // by port
  double seconds = 0;
};
struct NotMade {
  Error error{};
  bool crashed = false;  // the process is gone
  bool halts = false;    // the store does not work: no other task would fare better
};

class Workers {
 public:
  virtual ~Workers() = default;
  // Has the device's worker carry the order out, and waits. What it tells goes to the context; a stop is passed on.
  virtual tl::expected<Made, NotMade> run(std::size_t device, const JobOrder& order, TaskContext& context,
                                          Attempt& attempt, const StopToken& stop) = 0;
  // Ends the device's worker by force, safe from another thread: what it runs has crashed.
  virtual void kill(std::size_t device) = 0;
};

struct WorkerCommand {
  std::string device;                  // "cuda:0"
  std::vector<std::string> arguments;  // of the process
};
// A worker starts with the first order for its device, keeps what is resident there between orders, and is started anew
// after a crash. Workers end with this object, or with this process. `processes` must outlive it.
std::unique_ptr<Workers> make_process_workers(Processes& processes, std::vector<WorkerCommand> commands);

}  // namespace atelier
