// run: what must be known of a task and of those that feed it to open its inputs: a plan knows it, and so does an order
// to a worker.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "graph/node.h"
#include "plan/planner.h"

namespace atelier {

class InputGraph {
 public:
  virtual ~InputGraph() = default;
  virtual std::span<const TaskPort> ports(TaskId task) const = 0;
  virtual const Node& node(TaskId task) const = 0;
  virtual const Params& params(TaskId task) const = 0;
  virtual std::optional<Digest> key(TaskId task) const = 0;  // of a task that has ended well
  virtual Expected<Artifact> input(std::uint32_t index) const = 0;
  virtual std::string name(TaskId task) const = 0;  // for people
};

// All must outlive it. `finished` answers for all that the asked tasks depend on.
class PlanGraph final : public InputGraph {
 public:
  PlanGraph(const Plan& plan, const Batch& batch, FinishedRecord finished)
      : plan_(plan), batch_(batch), finished_(std::move(finished)) {}
  std::span<const TaskPort> ports(TaskId task) const override { return plan_.task(task).inputs; }
  const Node& node(TaskId task) const override { return *batch_.pipeline.steps[plan_.task(task).step].node; }
  const Params& params(TaskId task) const override { return *plan_.task(task).params; }
  std::optional<Digest> key(TaskId task) const override {
    const Record* const record = finished_(task);
    return record ? std::optional(record->key) : std::nullopt;
  }
  Expected<Artifact> input(std::uint32_t index) const override {
    const PlanInput& input = plan_.inputs[index];
    if (input.error) return tl::unexpected(*input.error);
    return input.artifact;
  }
  std::string name(TaskId task) const override { return display_name(plan_, batch_, task); }

 private:
  const Plan& plan_;
  const Batch& batch_;
  FinishedRecord finished_;
};

}  // namespace atelier
