#include "plan/plan.h"

#include <fmt/format.h>
#include <algorithm>
#include <set>

namespace atelier {

std::string_view name_of(Action action) noexcept {
  switch (action) {
    case Action::run:
      return "run";
    case Action::reuse:
      return "reuse";
    case Action::wait:
      return "wait";
    case Action::skip:
      return "skip";
  }
  return "";
}

TaskId task_of(const Plan& plan, const Batch& batch, std::size_t row, std::size_t step) {
  const std::size_t at = row * batch.pipeline.steps.size() + step;
  return at < plan.step_tasks.size() ? plan.step_tasks[at] : kNoTask;
}

const NodeSpec* spec_of(const Plan& plan, const Batch& batch, TaskId id) {
  const Task& task = plan.task(id);
  return task.is_output ? nullptr : &batch.pipeline.steps[task.step].node->spec();
}

std::string step_name(const Plan& plan, const Batch& batch, TaskId id) {
  const Task& task = plan.task(id);
  return task.is_output ? "output " + batch.pipeline.outputs[task.step].name : batch.pipeline.steps[task.step].name;
}

std::string display_name(const Plan& plan, const Batch& batch, TaskId id) {
  const Task& task = plan.task(id);
  const std::string step = step_name(plan, batch, id);
  if (task.for_batch || task.customers.empty()) return step;
  const std::string& first = batch.customers[task.customers.front()].id;
  const std::size_t others = task.customers.size() - 1;
  return others == 0 ? fmt::format("{}/{}", step, first) : fmt::format("{}/{}+{}", step, first, others);
}

std::vector<TaskId> content_readers(const Plan& plan, const Batch& batch, TaskId id) {
  std::set<TaskId> readers;
  std::vector<TaskId> open{id};
  while (!open.empty()) {
    const TaskId next = open.back();
    open.pop_back();
    for (const TaskId dependent : plan.task(next).dependents) {
      if (!readers.insert(dependent).second) continue;
      const NodeSpec* spec = spec_of(plan, batch, dependent);
      if (spec && spec->keep == Keep::recipe) open.push_back(dependent);
    }
  }
  return {readers.begin(), readers.end()};
}

}  // namespace atelier
