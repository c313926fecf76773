// plan: a plan as `atelier plan` prints it: text for people, JSON for programs.
#pragma once
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "plan/plan.h"

namespace atelier {

// How many tasks do what.
struct PlanCounts {
  std::array<std::size_t, 4> by_action{};  // indexed by Action

  std::size_t of(Action action) const { return by_action[static_cast<std::size_t>(action)]; }
  std::size_t all() const { return by_action[0] + by_action[1] + by_action[2] + by_action[3]; }
};
PlanCounts count_actions(const Plan& plan);

// "19 tasks: 2 run, 14 reuse, 3 wait": what is none is left out.
std::string counts_text(const PlanCounts& counts);

// A table of what each task does, for whom and why: a row for all customers of a step who share action and reason, in
// the pipeline's order, outputs last; then the counts, in all and by node and reason, and the most memory that a task
// to run needs, where nodes say it. Ends with a newline.
std::string plan_text(const Plan& plan, const Batch& batch);

// {batch, pipeline, customers, counts {tasks, run, reuse, wait, skip}, inputs [{name, path, digest | error}], tasks
// [{id, task, step, node | output, customers, for_batch, action, reason, key | null, recipe, after, memory_bytes?,
// path?}]}.
// `customers` of a task are ids; `after` the ids of the tasks it depends on; digests are hexadecimal.
nlohmann::json plan_json(const Plan& plan, const Batch& batch);

}  // namespace atelier
