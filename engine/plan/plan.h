// plan: all tasks of a batch with their keys, what each will do and why.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifact/store.h"
#include "base/digest.h"
#include "pipeline/batch.h"

namespace atelier {

enum class TaskId : std::uint32_t {};
inline std::size_t index_of(TaskId id) { return static_cast<std::size_t>(id); }

enum class Action {
  run,    // its key is known and nothing reusable is there, or its content is needed again
  reuse,  // a record is there, and its content where somebody needs it
  wait,   // its key is known only when its inputs are
  skip,   // an input of it cannot be had
};

// Where a task's port gets an artifact from: a pipeline input that was opened, or another task's port.
struct TaskSource {
  enum class Kind { input, task } kind = Kind::input;
  std::uint32_t index = 0;  // into Plan::inputs, or a TaskId
  std::string port;
};

struct TaskPort {
  std::string name;
  std::vector<TaskSource> sources;
};

// An input of the batch or of a customer, opened once.
struct PlanInput {
  std::string name;
  Artifact artifact;  // FileRefs only
  Digest digest;
  std::optional<Error> error;  // why it could not be opened
};

struct Task {
  TaskId id{};
  std::uint32_t step = 0;  // into Pipeline::steps, for an output Pipeline::outputs
  bool is_output = false;
  std::vector<std::uint32_t> customers;  // whom it is for, into Batch::customers; empty: the batch alone
  Params params;                         // of an output: none
  std::vector<TaskPort> inputs;      // in the order of the node's spec; of an output: one port named as the output's
  std::vector<TaskId> dependencies;  // without repetition
  std::vector<TaskId> dependents;

  std::optional<Digest> key;  // known once every input's digest is
  Digest recipe;              // equal recipes are one task
  Action action = Action::run;
  std::string reason;            // "new", "params changed: steps 60 -> 80", "input changed: photos", "reused" …
  std::optional<Record> record;  // where it is reused

  std::string output_path;  // of an output: relative to --out
};

struct Plan {
  std::vector<Task> tasks;  // a task stands after its dependencies
  std::vector<PlanInput> inputs;
  // For every customer, the tasks that must succeed for them (their outputs and all those feed on).
  std::vector<std::vector<TaskId>> by_customer;
};

// "portrait/anna" for a step of a customer, "look" for a shared one: what people read.
std::string display_name(const Plan& plan, const Batch& batch, TaskId id);

}  // namespace atelier
