// plan: all tasks of a batch with their keys, what each will do and why. A plan is data: make_plan() (planner.h) makes
// it, run executes it, plan_text.h prints it. Texts that all tasks share (port names) are views into the nodes' specs,
// so the NodeRegistry must outlive the plan; indexes refer to the Batch it was made from.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/store.h"
#include "base/digest.h"
#include "pipeline/batch.h"

namespace atelier {

enum class TaskId : std::uint32_t {};
inline std::size_t index_of(TaskId id) { return static_cast<std::size_t>(id); }
inline constexpr TaskId kNoTask{0xffffffff};

enum class Action : std::uint8_t {
  run,    // nothing reusable is there, or its content is needed again
  reuse,  // a record is there, and its content (of a recipe: its inputs' content) where somebody needs it
  wait,   // its key is known only when what feeds it has run: resolve() decides then
  skip,   // an input of it cannot be had, or it failed in an earlier wave
};
std::string_view name_of(Action action) noexcept;  // "run", "reuse", "wait", "skip"

// Where a task's port gets an artifact from: a pipeline input that was opened, or another task's port.
struct TaskSource {
  enum class Kind : std::uint8_t { input, task } kind = Kind::input;
  std::uint32_t index = 0;  // into Plan::inputs, or a TaskId
  std::string_view port;    // of the task; empty for an input
};

struct TaskPort {
  std::string_view name;
  std::vector<TaskSource> sources;
};

// The one port of an output task.
inline constexpr std::string_view kOutputPort = "from";

// An input of the batch or of a customer, opened once for each path and type.
struct PlanInput {
  std::string name;  // of the pipeline input that opened it first
  const PortType* type = nullptr;
  std::filesystem::path path;
  Artifact artifact;           // FileRefs only
  Digest digest;               // of the artifact; of its path where it could not be opened
  std::optional<Error> error;  // why it could not be opened
};

struct Task {
  TaskId id{};
  std::uint32_t step = 0;  // into Pipeline::steps, for an output Pipeline::outputs
  bool is_output = false;
  bool for_batch = false;  // a step or output of batch scope
  Action action = Action::run;
  std::vector<std::uint32_t> customers;  // whose it is, into Batch::customers; empty: the batch's alone
  std::shared_ptr<const Params> params;  // shared by all tasks with equal ones; of an output: null
  std::vector<TaskPort> inputs;          // in the order of the node's spec, absent ports left out; of an output: one
  std::vector<TaskId> dependencies;      // without repetition
  std::vector<TaskId> dependents;

  std::optional<Digest> key;  // known once every input's digest is; an output has none
  Digest recipe;              // equal recipes are one task; the key where that is known
  std::string reason;         // "new", "params changed: steps 60 -> 80", "input changed: photos", "reused" …
  std::shared_ptr<const Record> record;  // where its key has one (reused, or run again for its content): no provenance

  std::string output_path;  // of an output: relative to --out, '/' at its end for a folder
};

struct Plan {
  std::vector<Task> tasks;  // a task stands after its dependencies
  std::vector<PlanInput> inputs;
  // For every customer, the tasks that must succeed for them: their own steps and outputs, and all that feeds these.
  // Empty for a customer that --only left out. The batch's own steps and outputs that feed no customer are in no list.
  std::vector<std::vector<TaskId>> by_customer;
  // Which task stands for a step: row by row the batch's customers, then a row for what the batch shares; kNoTask where
  // there is none. Several steps and customers may share one task.
  std::vector<TaskId> step_tasks;

  const Task& task(TaskId id) const { return tasks[index_of(id)]; }
};

// The row of Plan::step_tasks that belongs to no customer.
inline std::size_t shared_row(const Batch& batch) { return batch.customers.size(); }
TaskId task_of(const Plan& plan, const Batch& batch, std::size_t row, std::size_t step);

// The spec of a task's node; of an output: null.
const NodeSpec* spec_of(const Plan& plan, const Batch& batch, TaskId id);

// "portrait/anna" for a step of a customer ("portrait/anna+2" where two more have it too), "look" for a shared one,
// "output lora/anna" for an output: what people read.
std::string display_name(const Plan& plan, const Batch& batch, TaskId id);
// "portrait", "output lora": without the customer.
std::string step_name(const Plan& plan, const Batch& batch, TaskId id);

// The tasks that read the content of `id` when they run: its dependents and, through dependents that are recipes (made
// again from their inputs whenever they are read), those of these. Content of a `while_needed` task may be dropped when
// all of them have ended.
std::vector<TaskId> content_readers(const Plan& plan, const Batch& batch, TaskId id);

}  // namespace atelier
