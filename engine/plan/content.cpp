#include "plan/content.h"

#include <fmt/format.h>
#include <set>

namespace atelier {
namespace {

bool is_recipe(const Plan& plan, const Batch& batch, TaskId id) {
  const NodeSpec* spec = spec_of(plan, batch, id);
  return spec && spec->keep == Keep::recipe;
}

}  // namespace

std::vector<TaskId> content_sources(const Plan& plan, const Batch& batch, TaskId id) {
  std::set<TaskId> seen, stored;
  std::vector<TaskId> open{id};
  while (!open.empty()) {
    const TaskId next = open.back();
    open.pop_back();
    for (const TaskId source : plan.task(next).dependencies) {
      if (!seen.insert(source).second) continue;
      if (is_recipe(plan, batch, source))
        open.push_back(source);
      else
        stored.insert(source);
    }
  }
  return {stored.begin(), stored.end()};
}

void require_content(Plan& plan, const Batch& batch, const Store& store) {
  std::vector<TaskId> reader(plan.tasks.size(), kNoTask);  // who reads a task's content: the latest found
  for (std::size_t i = plan.tasks.size(); i-- > 0;) {
    Task& task = plan.tasks[i];
    const bool recipe = is_recipe(plan, batch, task.id);
    const bool is_read = reader[i] != kNoTask;
    if (task.action == Action::reuse && is_read && !recipe && !store.has(*task.key)) {
      task.action = Action::run;
      task.reason = fmt::format("content needed by {}", step_name(plan, batch, reader[i]));
    }
    const bool runs = task.action == Action::run || task.action == Action::wait;
    if (!runs && !(recipe && is_read && task.action == Action::reuse)) continue;
    for (const TaskId source : task.dependencies) reader[index_of(source)] = runs ? task.id : reader[i];
  }
}

}  // namespace atelier
