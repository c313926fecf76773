// run: opens what a task reads: the files of the pipeline's inputs, the content of the tasks before it, and what is
// never stored by running its node again.
#pragma once
#include <variant>

#include "base/error.h"
#include "graph/node.h"
#include "run/input_graph.h"

namespace atelier {

class TaskInputs {
 public:
  // All must outlive it.
  TaskInputs(const InputGraph& graph, Store& store, const NodeRegistry& registry)
      : graph_(graph), store_(store), registry_(registry) {}

  // The artifacts of every port of the task. Errors: input_lost where content is missing or damaged; what a node says
  // that is run again.
  Expected<Inputs> open(TaskId task, Context& context, Device& device) const;

 private:
  using Opened = std::map<std::uint32_t, Outputs>;  // by task: each is read once
  Expected<Artifact> artifact(const TaskSource& source, Opened& opened, Context& context, Device& device) const;
  Expected<Outputs> outputs_of(TaskId task, Context& context, Device& device) const;
  Expected<Outputs> make_again(TaskId task, Context& context, Device& device) const;
  // Gives the files that stored outputs refer to their places: those of the task's own inputs.
  Expected<void> place_files(TaskId task, Outputs& outputs, Context& context, Device& device) const;

  const InputGraph& graph_;
  Store& store_;
  const NodeRegistry& registry_;
};

// Runs a node for one job at a task's boundary: whatever it throws comes back as an error, and so do outputs that are
// missing, undeclared or not well-formed ones of their type, or that refer to files that none of the inputs has.
Expected<Outputs> run_node(const Node& node, const NodeRegistry& registry, const Job& job, Device& device);

}  // namespace atelier
