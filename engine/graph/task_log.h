// graph: the log of a running task, for people, which is kept where the task fails. Not every context has one: what is
// run again for its reader tells nothing.
#pragma once
#include <string>

#include "graph/context.h"

namespace atelier {

// What a context that keeps a log is too.
class TaskLog {
 public:
  virtual ~TaskLog() = default;
  virtual void log(std::string line) = 0;  // thread-safe
};

// Adds a line where the context keeps a log.
inline void log_to(Context& context, std::string line) {
  if (auto* const kept = dynamic_cast<TaskLog*>(&context)) kept->log(std::move(line));
}

}  // namespace atelier
