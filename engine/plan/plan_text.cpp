#include "plan/plan_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "plan/needs.h"
#include "plan/text_table.h"

namespace atelier {
namespace {

constexpr std::size_t kNamedCustomers = 4;  // of a row; more would not fit a line
constexpr std::array kActions = {Action::run, Action::reuse, Action::wait, Action::skip};

// The tasks of a row: all those of one step that do the same for the same reason.
struct Group {
  TaskId first{};
  std::vector<std::uint32_t> customers;
  bool for_batch = false;
  std::size_t tasks = 0;
};

std::vector<Group> groups_of(const Plan& plan) {
  using Place = std::tuple<bool, std::uint32_t>;  // outputs after steps, in the pipeline's order
  std::map<Place, std::vector<Group>> by_place;
  std::map<std::tuple<Place, Action, std::string_view>, std::size_t> known;
  for (const auto& task : plan.tasks) {
    const Place place{task.is_output, task.step};
    auto& groups = by_place[place];
    const auto [found, is_new] = known.try_emplace({place, task.action, task.reason}, groups.size());
    if (is_new) groups.push_back({task.id, {}, false, 0});
    Group& group = groups[found->second];
    group.customers.insert(group.customers.end(), task.customers.begin(), task.customers.end());
    group.for_batch |= task.for_batch;
    ++group.tasks;
  }
  std::vector<Group> all;
  for (auto& [place, groups] : by_place) std::ranges::move(groups, std::back_inserter(all));
  return all;
}

std::string customers_text(const Batch& batch, const Group& group) {
  std::vector<std::uint32_t> customers = group.customers;
  std::ranges::sort(customers);
  customers.erase(std::unique(customers.begin(), customers.end()), customers.end());
  std::vector<std::string> names;
  if (group.for_batch) names.emplace_back("the batch");
  const std::size_t named = std::min(customers.size(), kNamedCustomers);
  for (std::size_t i = 0; i < named; ++i) names.push_back(batch.customers[customers[i]].id);
  const std::string more = customers.size() > named ? fmt::format(" and {} more", customers.size() - named) : "";
  return fmt::format("{}{}", fmt::join(names, ", "), more);
}

std::vector<TextRow> task_rows(const Plan& plan, const Batch& batch, const std::vector<Group>& groups) {
  std::vector<TextRow> rows{{"ACTION", "TASK", "CUSTOMERS", "REASON"}};
  for (const auto& group : groups) {
    const Task& task = plan.task(group.first);
    rows.push_back({std::string(name_of(task.action)), step_name(plan, batch, group.first),
                    customers_text(batch, group), task.reason});
  }
  return rows;
}

// For the counts it does not matter what a task waits for.
std::string counted_reason(const Task& task) {
  return task.action == Action::wait && task.reason.starts_with("waits for ") ? "inputs not known yet" : task.reason;
}

// Counts by node and reason, in the order in which the nodes come in the pipeline.
std::vector<TextRow> count_rows(const Plan& plan, const Batch& batch, const std::vector<Group>& groups) {
  struct Count {
    TextRow row;
    std::size_t tasks = 0;
  };
  std::vector<std::string> nodes;
  std::map<std::string, std::vector<Count>> by_node;
  for (const auto& group : groups) {
    const Task& task = plan.task(group.first);
    const NodeSpec* spec = spec_of(plan, batch, group.first);
    const std::string node = spec ? spec->name : "(output)";
    if (std::ranges::count(nodes, node) == 0) nodes.push_back(node);
    const TextRow row{node, std::string(name_of(task.action)), counted_reason(task)};
    auto& counts = by_node[node];
    auto found = std::ranges::find(counts, row, &Count::row);
    if (found == counts.end()) found = counts.insert(counts.end(), {row, 0});
    found->tasks += group.tasks;
  }
  std::vector<TextRow> rows{{"NODE", "TASKS", "ACTION", "REASON"}};
  for (const auto& node : nodes)
    for (const auto& [row, tasks] : by_node[node]) rows.push_back({row[0], fmt::format("{}", tasks), row[1], row[2]});
  return rows;
}

std::uint64_t memory_of(NeedsOfTasks& nodes, const Task& task) {
  const Needs needs = nodes.of(task);
  return needs.memory_bytes + needs.device_memory_bytes;
}

// "The most memory that a task needs: about 5.3 GB (person/anna)" of what is to run; empty where nothing is known.
std::string memory_line(const Plan& plan, const Batch& batch) {
  constexpr double bytes_of_gb = 1e9;
  NeedsOfTasks nodes(plan, batch);
  std::uint64_t most = 0;
  TaskId whose = kNoTask;
  for (const auto& task : plan.tasks) {
    if (task.action != Action::run && task.action != Action::wait) continue;
    const auto bytes = memory_of(nodes, task);
    if (bytes <= most) continue;
    most = bytes;
    whose = task.id;
  }
  if (most == 0) return {};
  return fmt::format("The most memory that a task needs: about {:.1f} GB ({})\n",
                     static_cast<double>(most) / bytes_of_gb, display_name(plan, batch, whose));
}

nlohmann::json task_json(const Plan& plan, const Batch& batch, const Task& task, NeedsOfTasks& nodes) {
  auto customers = nlohmann::json::array();
  for (const auto customer : task.customers) customers.push_back(batch.customers[customer].id);
  auto after = nlohmann::json::array();
  for (const TaskId id : task.dependencies) after.push_back(index_of(id));
  nlohmann::json json = {{"id", index_of(task.id)},
                         {"task", display_name(plan, batch, task.id)},
                         {"customers", std::move(customers)},
                         {"for_batch", task.for_batch},
                         {"action", name_of(task.action)},
                         {"reason", task.reason},
                         {"key", task.key ? nlohmann::json(task.key->hex()) : nlohmann::json()},
                         {"recipe", task.recipe.hex()},
                         {"after", std::move(after)}};
  if (task.is_output) {
    json["output"] = batch.pipeline.outputs[task.step].name;
    json["path"] = task.output_path;
  } else {
    json["step"] = batch.pipeline.steps[task.step].name;
    json["node"] = spec_of(plan, batch, task.id)->name;
    if (const auto bytes = memory_of(nodes, task); bytes > 0) json["memory_bytes"] = bytes;
  }
  return json;
}

}  // namespace

PlanCounts count_actions(const Plan& plan) {
  PlanCounts counts;
  for (const auto& task : plan.tasks) ++counts.by_action[static_cast<std::size_t>(task.action)];
  return counts;
}

std::string counts_text(const PlanCounts& counts) {
  std::vector<std::string> parts;
  for (const Action action : kActions)
    if (counts.of(action) > 0) parts.push_back(fmt::format("{} {}", counts.of(action), name_of(action)));
  const std::string tasks = counts.all() == 1 ? "1 task" : fmt::format("{} tasks", counts.all());
  return parts.empty() ? tasks : fmt::format("{}: {}", tasks, fmt::join(parts, ", "));
}

std::string plan_text(const Plan& plan, const Batch& batch) {
  const auto groups = groups_of(plan);
  return fmt::format("{}\n{}\n{}\n{}", text_table(task_rows(plan, batch, groups)), counts_text(count_actions(plan)),
                     memory_line(plan, batch), text_table(count_rows(plan, batch, groups)));
}

nlohmann::json plan_json(const Plan& plan, const Batch& batch) {
  const PlanCounts counts = count_actions(plan);
  nlohmann::json json = {{"batch", batch.file.string()}, {"pipeline", batch.pipeline.name}};
  json["counts"] = {{"tasks", counts.all()}};
  for (const Action action : kActions) json["counts"][std::string(name_of(action))] = counts.of(action);
  json["customers"] = nlohmann::json::array();
  for (std::size_t i = 0; i < plan.by_customer.size(); ++i)
    if (!plan.by_customer[i].empty()) json["customers"].push_back(batch.customers[i].id);
  json["inputs"] = nlohmann::json::array();
  for (const auto& input : plan.inputs) {
    nlohmann::json one = {{"name", input.name}, {"path", input.path.string()}};
    one[input.error ? "error" : "digest"] = input.error ? input.error->message : input.digest.hex();
    json["inputs"].push_back(std::move(one));
  }
  json["tasks"] = nlohmann::json::array();
  NeedsOfTasks nodes(plan, batch);
  for (const auto& task : plan.tasks) json["tasks"].push_back(task_json(plan, batch, task, nodes));
  return json;
}

}  // namespace atelier
