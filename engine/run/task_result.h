// run: how a task ended.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "artifact/store.h"
#include "plan/plan.h"

namespace atelier {

struct TaskResult {
  enum class State {
    pending,     // it has not ended
    finished,    // it ran; of an output: written
    reused,      // its record was there; of an output: up to date
    failed,      // with `error`
    skipped,     // something it depends on failed
    stopped,     // the run was stopped before it could end
    input_lost,  // content it needs is missing or damaged, or a dependency ended so: another wave
    busy,        // not an end: its key is being computed elsewhere, it is to be looked at again later
  };
  State state = State::pending;
  std::shared_ptr<const Record> record{};  // of a step that ended well
  std::optional<Digest> key{};             // where it was resolved
  Error error{};                           // failed, input_lost; of skipped: the reason in `message`
  std::optional<TaskId> cause{};           // skipped: the task that failed
  std::string log{};                       // failed: where its log is, relative to the run's folder
  std::string reason{};                    // reused: why
  bool started = false;                    // stopped: it had begun
  bool crashed = false;                    // failed: the process that it ran in is gone

  bool well() const { return state == State::finished || state == State::reused; }
};

}  // namespace atelier
