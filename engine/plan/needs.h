// plan: what tasks will need to run, as their nodes say, from what the plan knows of their inputs.
#pragma once
#include <memory>
#include <vector>

#include "graph/node.h"
#include "plan/plan.h"

namespace atelier {

// Asks a node once for all tasks in a row that look alike to it: a thousand customers' trainings on one base read its
// headers once. Plan and batch must outlive it.
class NeedsOfTasks {
 public:
  NeedsOfTasks(const Plan& plan, const Batch& batch) : plan_(plan), batch_(batch), last_(batch.pipeline.steps.size()) {}

  // A short guess for an output. Reads what the node reads of the inputs' files, at most their headers.
  Needs of(const Task& task);

 private:
  struct Answer {
    std::shared_ptr<const Params> params;  // shared by tasks with equal ones; null: the node was not asked yet
    InputInfo info;
    Needs needs;
  };

  const Plan& plan_;
  const Batch& batch_;
  std::vector<Answer> last_;  // by step
};

}  // namespace atelier
