#include "plan/expectation.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/amounts.h"
#include "plan/text_table.h"

namespace atelier {
namespace {

bool is_ahead(const Task& task) { return task.action == Action::run || task.action == Action::wait; }

void add(Expectation::Time& time, const TaskCost& cost) {
  ++time.tasks;
  time.seconds += cost.seconds;
  if (cost.time_basis == TaskCost::Basis::guess) ++time.guessed;
}

void add(Expectation::Size& size, const TaskCost& cost) {
  size.bytes += cost.bytes;
  if (cost.size_basis == TaskCost::Basis::guess) ++size.unknown;
}

void add(Expectation& expected, const NodeSpec& spec, const TaskCost& cost) {
  add(spec.place == Place::device ? expected.devices : expected.cpu, cost);
  if (spec.keep == Keep::recipe) return;  // never stored
  add(spec.keep == Keep::while_needed ? expected.meanwhile : expected.cache, cost);
}

// Writing an output is so short that nobody measures it.
void add_output(Expectation& expected, TaskCost cost) {
  cost.time_basis = TaskCost::Basis::alike;
  add(expected.cpu, cost);
  add(expected.outputs, cost);
}

// By task, how many customers need it.
std::vector<std::size_t> customers_of_tasks(const Plan& plan) {
  std::vector<std::size_t> counts(plan.tasks.size());
  for (const auto& tasks : plan.by_customer)
    for (const TaskId id : tasks) ++counts[index_of(id)];
  return counts;
}

std::vector<Expectation::Shared> shared_of(const Plan& plan, const Batch& batch, CostsOfTasks& costs) {
  const auto customers = customers_of_tasks(plan);
  std::vector<Expectation::Shared> by_step(batch.pipeline.steps.size());
  for (const Task& task : plan.tasks) {
    const std::size_t count = customers[index_of(task.id)];
    if (task.is_output || task.action == Action::skip || count < 2) continue;
    auto& shared = by_step[task.step];
    shared.step = step_name(plan, batch, task.id);
    ++shared.tasks;
    shared.customers += count;
    shared.saved_s += static_cast<double>(count - 1) * (task.record ? task.record->cost_s : costs.of(task).seconds);
  }
  std::erase_if(by_step, [](const auto& shared) { return shared.tasks == 0; });
  return by_step;
}

std::string tasks_text(std::size_t n) { return n == 1 ? "1 task" : fmt::format("{} tasks", n); }

std::string time_text(const Expectation::Time& time, std::string_view where) {
  const std::string guessed = time.guessed > 0 ? fmt::format(", {} of them guessed", time.guessed) : "";
  return fmt::format("{} on {} ({}{})", show_duration(time.seconds), where, tasks_text(time.tasks), guessed);
}

std::string time_line(const Expectation& expected) {
  std::string text;
  if (expected.devices.tasks > 0) text += time_text(expected.devices, "devices");
  if (expected.cpu.tasks > 0) text += (text.empty() ? "" : ", ") + time_text(expected.cpu, "the CPU");
  return text.empty() ? "" : "expected: " + text + '\n';
}

std::string disk_line(const Expectation& expected) {
  if (expected.devices.tasks + expected.cpu.tasks == 0) return "";
  std::string text = fmt::format("disk: {} more in the cache", show_bytes(expected.cache.bytes));
  if (expected.meanwhile.bytes > 0)
    text += fmt::format(" and at most {} in passing", show_bytes(expected.meanwhile.bytes));
  text += fmt::format(", {} of outputs", show_bytes(expected.outputs.bytes));
  const std::size_t unknown = expected.cache.unknown + expected.meanwhile.unknown + expected.outputs.unknown;
  if (unknown > 0) text += fmt::format("; without {} that no earlier run measured", tasks_text(unknown));
  return text + '\n';
}

std::string shared_table(const std::vector<Expectation::Shared>& shared) {
  if (shared.empty()) return "";
  std::vector<TextRow> rows{{"SHARED", "TASKS", "CUSTOMERS", "SAVES"}};
  for (const auto& one : shared)
    rows.push_back({one.step, fmt::format("{}", one.tasks), fmt::format("{}", one.customers),
                    one.saved_s >= 1 ? show_duration(one.saved_s) : "-"});
  return text_table(rows);
}

nlohmann::json json_of(const Expectation::Time& time) {
  return {{"tasks", time.tasks}, {"guessed", time.guessed}, {"seconds", time.seconds}};
}

nlohmann::json json_of(const Expectation::Size& size) { return {{"bytes", size.bytes}, {"unknown", size.unknown}}; }

}  // namespace

Expectation expectation_of(const Plan& plan, const Batch& batch, CostsOfTasks& costs) {
  Expectation expected;
  for (const Task& task : plan.tasks) {
    if (!is_ahead(task)) continue;
    if (task.is_output)
      add_output(expected, costs.of(task));
    else
      add(expected, *spec_of(plan, batch, task.id), costs.of(task));
  }
  expected.shared = shared_of(plan, batch, costs);
  return expected;
}

std::string expectation_text(const Expectation& expected) {
  const std::string lines = time_line(expected) + disk_line(expected), table = shared_table(expected.shared);
  return lines + (lines.empty() || table.empty() ? "" : "\n") + table;
}

nlohmann::json expectation_json(const Expectation& expected) {
  nlohmann::json json = {{"devices", json_of(expected.devices)}, {"cpu", json_of(expected.cpu)},
                         {"cache", json_of(expected.cache)},     {"meanwhile", json_of(expected.meanwhile)},
                         {"outputs", json_of(expected.outputs)}, {"shared", nlohmann::json::array()}};
  for (const auto& one : expected.shared)
    json["shared"].push_back(
        {{"step", one.step}, {"tasks", one.tasks}, {"customers", one.customers}, {"saved_seconds", one.saved_s}});
  return json;
}

}  // namespace atelier
