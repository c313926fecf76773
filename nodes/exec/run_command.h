// exec: one command from its start to its end, whoever ends it.
#pragma once
#include <chrono>
#include <string>

#include "base/process.h"
#include "graph/context.h"

namespace atelier {

struct CommandEnd {
  ProcessEnd process;
  bool stopped = false;      // it was asked to end, since the task is to stop
  std::string last_words{};  // the last lines of what it wrote to its outputs
};

// Waits for the end. What the command writes to its two outputs goes to the task's log, its input is empty. Where the
// task is to stop, its group gets a SIGTERM and, after `grace`, a SIGKILL. Errors: those of starting it.
Expected<CommandEnd> run_command(Processes& processes, ProcessCommand command, Context& context,
                                 std::chrono::milliseconds grace);

}  // namespace atelier
