// plan: why one task would run, be reused or wait, with all that is known of what changed: `atelier plan --explain`.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/changes.h"
#include "plan/plan.h"

namespace atelier {

// A task as it was asked for: for whom, where several customers share it.
struct NamedTask {
  TaskId id{};
  std::size_t row = 0;  // of Plan::step_tasks; shared_row() for what is the batch's
};

// The task of a name: one that the plan shows ("portrait/anna", "look", "output lora/anna"), or "STEP/CUSTOMER" of a
// task that several share; modules may be left out where that names one step. Error: there is none, with the nearest
// right name, or the name is that of many.
Expected<NamedTask> task_named(const Plan& plan, const Batch& batch, std::string_view name);

struct Explanation {
  // What changed of a step since it ran last for this customer in this batch.
  struct Since {
    bool ran_before = false;
    Changes changes{};
    std::vector<std::string> sources{};  // by Changes::inputs: the step that makes it; empty for a pipeline's input
  };
  struct Cause {
    std::string task{};
    Action action = Action::run;
    std::string reason{};
    Since since{};
  };
  std::string task{}, step{};
  std::string node{};      // empty of an output
  std::string path{};      // of an output
  std::string customer{};  // empty: the batch's
  Action action = Action::run;
  std::string reason{};  // the plan's
  Since since{};         // of a step
  // Where it is reused, as far as is known: the run and device that made it, and how long that took.
  std::string made_in{}, made_on{};
  double made_s = 0;
  // In the plan's order, all that it depends on and that changed, or runs or is skipped for a reason of its own.
  std::vector<Cause> causes{};
};

Explanation explain(const Plan& plan, const Batch& batch, const NamedTask& named, const Ledger& ledger);

// Lines, each ended.
std::string explanation_text(const Explanation& explanation);

// {task, step, node | path, customer | null, action, reason, since {ran_before, node_version [before, now]?, params
// [{name, before, now}], inputs [{name, made_by?, changed, new, gone}]}, made {run, device, seconds}?, causes [{task,
// action, reason, since}]}.
nlohmann::json explanation_json(const Explanation& explanation);

}  // namespace atelier
