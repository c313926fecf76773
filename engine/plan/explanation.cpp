#include "plan/explanation.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/amounts.h"
#include "base/nearest.h"
#include "plan/memory.h"
#include "plan/reasons.h"

namespace atelier {
namespace {

constexpr std::size_t kNamedCauses = 10;

std::optional<Digest> known_digest(const Plan& plan, const TaskSource& source) {
  if (source.kind == TaskSource::Kind::input) {
    const PlanInput& input = plan.inputs[source.index];
    return input.error ? std::nullopt : std::optional(input.digest);
  }
  const Task& task = plan.tasks[source.index];
  if (task.action == Action::skip || !task.record) return std::nullopt;
  return task.record->outputs.at(std::string(source.port)).digest;
}

// The row whose memory speaks for a task: the batch's, or its first customer's.
std::size_t row_of(const Batch& batch, const Task& task) {
  return task.for_batch || task.customers.empty() ? shared_row(batch) : task.customers.front();
}

std::string customer_of(const Batch& batch, std::size_t row) {
  return row == shared_row(batch) ? "" : batch.customers[row].id;
}

// The step that makes what arrives as "port" or "port[1]"; empty where it is an input of the pipeline or is no more.
std::string source_of(const Plan& plan, const Batch& batch, const Task& task, const Changes::Input& input) {
  const auto port = std::ranges::find(task.inputs, input.port, &TaskPort::name);
  if (port == task.inputs.end()) return "";
  const std::size_t bracket = input.name.find('[');
  const std::size_t index = bracket == std::string::npos ? 0 : std::stoul(input.name.substr(bracket + 1));
  if (index >= port->sources.size() || port->sources[index].kind == TaskSource::Kind::input) return "";
  return step_name(plan, batch, TaskId{port->sources[index].index});
}

Explanation::Since since_of(const Plan& plan, const Batch& batch, const NamedTask& named, const Ledger& ledger) {
  const Task& task = plan.task(named.id);
  if (task.is_output) return {};
  const NodeSpec& spec = *spec_of(plan, batch, named.id);
  const auto memory =
      ledger.last_step(batch_place(batch), customer_of(batch, named.row), batch.pipeline.steps[task.step].name);
  if (!memory) return {};
  const auto digest = [&](const TaskSource& source) { return known_digest(plan, source); };
  Explanation::Since since{.ran_before = true};
  since.changes = changes_since(*memory, spec, *task.params, arrived_inputs(plan.inputs, spec, task.inputs, digest));
  for (const auto& input : since.changes.inputs) since.sources.push_back(source_of(plan, batch, task, input));
  return since;
}

// All that the task depends on, in the plan's order: a task stands after its dependencies.
std::vector<TaskId> upstream_of(const Plan& plan, TaskId id) {
  std::vector<TaskId> all = plan.task(id).dependencies;
  std::vector<bool> seen(index_of(id) + 1, false);
  for (const TaskId task : all) seen[index_of(task)] = true;
  for (std::size_t i = 0; i < all.size(); ++i)
    for (const TaskId task : plan.task(all[i]).dependencies) {
      if (seen[index_of(task)]) continue;
      seen[index_of(task)] = true;
      all.push_back(task);
    }
  std::ranges::sort(all);
  return all;
}

// What waits only waits: its own params and inputs may have changed all the same.
std::vector<Explanation::Cause> causes_of(const Plan& plan, const Batch& batch, const NamedTask& named,
                                          const Ledger& ledger) {
  std::vector<Explanation::Cause> causes;
  for (const TaskId id : upstream_of(plan, named.id)) {
    const Task& task = plan.task(id);
    const bool is_theirs = std::ranges::count(task.customers, static_cast<std::uint32_t>(named.row)) > 0;
    const std::size_t row = is_theirs ? named.row : row_of(batch, task);
    auto since = since_of(plan, batch, {id, row}, ledger);
    const bool has_own = task.action == Action::run || task.action == Action::skip || !since.changes.empty();
    if (has_own) causes.push_back({display_name(plan, batch, id), task.action, task.reason, std::move(since)});
  }
  return causes;
}

void tell_record(Explanation& explanation, const Task& task, const Ledger& ledger) {
  if (task.action != Action::reuse || !task.record) return;
  const auto record = ledger.find(task.record->key);
  if (!record) return;
  const auto text = [&](const char* name) {
    const auto found = record->provenance.find(name);
    return found != record->provenance.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  explanation.made_in = text("run");
  explanation.made_on = text("device");
  explanation.made_s = record->cost_s;
}

std::string_view action_text(Action action) {
  switch (action) {
    case Action::run:
      return "would run";
    case Action::reuse:
      return "would be reused";
    case Action::wait:
      return "would wait";
    case Action::skip:
      return "would be skipped";
  }
  return "";
}

std::string_view words_of(Changes::File::What what) {
  using What = Changes::File::What;
  return what == What::is_new ? "is new" : what == What::gone ? "is gone" : "has changed";
}

std::string input_lines(const Changes::Input& input, const std::string& source, std::string_view indent) {
  if (input.files.empty())
    return source.empty() ? fmt::format("{}input {} has changed\n", indent, input.name)
                          : fmt::format("{}input {}: what {} makes has changed\n", indent, input.name, source);
  std::string text;
  for (const auto& file : input.files)
    text += fmt::format("{}input {}: {} {}\n", indent, input.name, file.name, words_of(file.what));
  return text;
}

std::string since_lines(const Explanation::Since& since, std::string_view indent) {
  std::string text;
  const Changes& changes = since.changes;
  if (const auto& version = changes.node_version)
    text += fmt::format("{}node version: {} -> {}\n", indent, version->first, version->second);
  for (const auto& [name, before, now] : changes.params)
    text += fmt::format("{}param {}: {} -> {}\n", indent, name, show_param(before), show_param(now));
  for (std::size_t i = 0; i < changes.inputs.size(); ++i)
    text += input_lines(changes.inputs[i], since.sources[i], indent);
  return text;
}

std::string history_lines(const Explanation& told) {
  if (!told.path.empty()) return fmt::format("  written to {}\n", told.path);
  const std::string whose = told.customer.empty() ? "the batch" : told.customer;
  if (!told.since.ran_before)
    return fmt::format("  no run of this batch has done {} for {} before\n", told.step, whose);
  if (told.since.changes.empty()) return "  nothing that is known differs from its latest run\n";
  return "  since its latest run:\n" + since_lines(told.since, "    ");
}

std::string cause_lines(const std::vector<Explanation::Cause>& causes) {
  std::string text = causes.empty() ? "" : "  what feeds it:\n";
  for (std::size_t i = 0; i < std::min(causes.size(), kNamedCauses); ++i) {
    const auto& [task, action, reason, since] = causes[i];
    text += fmt::format("    {} {}: {}\n", task, action_text(action), reason) + since_lines(since, "      ");
  }
  if (causes.size() > kNamedCauses) text += fmt::format("    and {} more\n", causes.size() - kNamedCauses);
  return text;
}

nlohmann::json json_of(const Explanation::Since& since) {
  using What = Changes::File::What;
  nlohmann::json json = {
      {"ran_before", since.ran_before}, {"params", nlohmann::json::array()}, {"inputs", nlohmann::json::array()}};
  if (const auto& version = since.changes.node_version) json["node_version"] = {version->first, version->second};
  for (const auto& [name, before, now] : since.changes.params)
    json["params"].push_back({{"name", name}, {"before", before}, {"now", now}});
  for (std::size_t i = 0; i < since.changes.inputs.size(); ++i) {
    std::map<What, std::vector<std::string>> files;
    for (const auto& file : since.changes.inputs[i].files) files[file.what].push_back(file.name);
    nlohmann::json input = {{"name", since.changes.inputs[i].name},
                            {"changed", files[What::changed]},
                            {"new", files[What::is_new]},
                            {"gone", files[What::gone]}};
    if (!since.sources[i].empty()) input["made_by"] = since.sources[i];
    json["inputs"].push_back(std::move(input));
  }
  return json;
}

// What stands behind the last module: "person" of "portrait.person".
std::string own_name(const std::string& step) { return step.substr(step.rfind('.') + 1); }

// The step that is meant, which need not be told with the modules it is in where it is the only one of its own name.
std::string whole_name(const Batch& batch, const std::string& step) {
  const auto& steps = batch.pipeline.steps;
  if (std::ranges::find(steps, step, &PipelineStep::name) != steps.end()) return step;
  const auto is_meant = [&](const PipelineStep& one) { return own_name(one.name) == step; };
  const auto found = std::ranges::find_if(steps, is_meant);
  return std::ranges::count_if(steps, is_meant) == 1 ? found->name : step;
}

// Of a wrong name: the nearest step or output, and the nearest customer.
std::string nearest_task(const Batch& batch, const std::string& step, const std::string& customer) {
  std::vector<std::string> steps, ids;
  for (const auto& one : batch.pipeline.steps) steps.push_back(one.name);
  for (const auto& one : batch.pipeline.steps)
    if (whole_name(batch, own_name(one.name)) == one.name) steps.push_back(own_name(one.name));
  for (const auto& one : batch.pipeline.outputs) steps.push_back("output " + one.name);
  for (const auto& one : batch.customers) ids.push_back(one.id);
  const auto near = [](const std::string& name, const std::vector<std::string>& right) {
    return name.empty() || std::ranges::count(right, name) > 0 ? name : nearest(name, right);
  };
  const std::string right_step = near(step, steps), right_customer = near(customer, ids);
  if (right_step.empty() || right_customer.empty() != customer.empty()) return "";
  return customer.empty() ? right_step : right_step + "/" + right_customer;
}

// The tasks of a step or output by name, for whom, with the rows that name them.
std::vector<NamedTask> tasks_of_step(const Plan& plan, const Batch& batch, std::string_view step) {
  std::vector<NamedTask> found;
  for (const Task& task : plan.tasks) {
    if (!task.is_output || step_name(plan, batch, task.id) != step) continue;
    if (task.for_batch) found.push_back({task.id, shared_row(batch)});
    for (const auto customer : task.customers) found.push_back({task.id, customer});
  }
  const auto place = std::ranges::find(batch.pipeline.steps, step, &PipelineStep::name);
  if (place == batch.pipeline.steps.end()) return found;
  for (std::size_t row = 0; row <= shared_row(batch); ++row) {
    const TaskId id = task_of(plan, batch, row, static_cast<std::size_t>(place - batch.pipeline.steps.begin()));
    if (id != kNoTask) found.push_back({id, plan.task(id).for_batch ? shared_row(batch) : row});
  }
  return found;
}

// "person/anna, person/ben and 98 more".
std::string some_names(const Batch& batch, std::string_view step, const std::vector<NamedTask>& tasks) {
  constexpr std::size_t named = 2;
  std::string text;
  for (std::size_t i = 0; i < std::min(named, tasks.size()); ++i)
    text += fmt::format("{}{}/{}", i > 0 ? ", " : "", step, customer_of(batch, tasks[i].row));
  return text + (tasks.size() > named ? fmt::format(" and {} more", tasks.size() - named) : "");
}

Error not_named(std::string message) { return {ErrorKind::input, std::move(message)}; }

}  // namespace

Expected<NamedTask> task_named(const Plan& plan, const Batch& batch, std::string_view name) {
  const auto all = tasks_of_step(plan, batch, whole_name(batch, std::string(name)));
  for (const NamedTask& task : all)
    if (task.row == shared_row(batch) || all.size() == 1) return task;
  if (!all.empty())
    return tl::unexpected(
        not_named(fmt::format("'{}' is a task of each customer: name one, as {}", name, some_names(batch, name, all))));
  const std::size_t slash = name.rfind('/');
  const std::string step = whole_name(batch, std::string(name.substr(0, slash)));
  const std::string customer(slash == std::string_view::npos ? "" : name.substr(slash + 1));
  const bool is_customer = std::ranges::count(batch.customers, customer, &Customer::id) > 0;
  for (const NamedTask& task : tasks_of_step(plan, batch, step)) {
    const bool is_theirs = is_customer && (task.row == shared_row(batch) || customer_of(batch, task.row) == customer);
    if (is_theirs || display_name(plan, batch, task.id) == name) return task;
  }
  const std::string right = nearest_task(batch, step, customer);
  return tl::unexpected(not_named(fmt::format("the plan has no task '{}'{}", name,
                                              right.empty() ? "" : fmt::format("; did you mean '{}'?", right))));
}

Explanation explain(const Plan& plan, const Batch& batch, const NamedTask& named, const Ledger& ledger) {
  const Task& task = plan.task(named.id);
  const NodeSpec* const spec = spec_of(plan, batch, named.id);
  Explanation told{.task = display_name(plan, batch, named.id),
                   .step = step_name(plan, batch, named.id),
                   .node = spec ? spec->name : "",
                   .path = task.output_path,
                   .customer = customer_of(batch, named.row),
                   .action = task.action,
                   .reason = task.reason,
                   .since = since_of(plan, batch, named, ledger),
                   .causes = causes_of(plan, batch, named, ledger)};
  tell_record(told, task, ledger);
  return told;
}

std::string explanation_text(const Explanation& told) {
  std::string text = fmt::format("{}{} {}: {}\n", told.task, told.node.empty() ? "" : fmt::format(" ({})", told.node),
                                 action_text(told.action), told.reason);
  text += history_lines(told);
  if (!told.made_in.empty())
    text += fmt::format("  made by run {} on {} in {}\n", told.made_in, told.made_on, show_duration(told.made_s));
  return text + cause_lines(told.causes);
}

nlohmann::json explanation_json(const Explanation& told) {
  nlohmann::json json = {{"task", told.task},
                         {"step", told.step},
                         {"customer", told.customer.empty() ? nlohmann::json() : nlohmann::json(told.customer)},
                         {"action", name_of(told.action)},
                         {"reason", told.reason},
                         {"causes", nlohmann::json::array()}};
  if (told.node.empty()) {
    json["path"] = told.path;
  } else {
    json["node"] = told.node;
    json["since"] = json_of(told.since);
  }
  if (!told.made_in.empty()) json["made"] = {{"run", told.made_in}, {"device", told.made_on}, {"seconds", told.made_s}};
  for (const auto& cause : told.causes)
    json["causes"].push_back({{"task", cause.task},
                              {"action", name_of(cause.action)},
                              {"reason", cause.reason},
                              {"since", json_of(cause.since)}});
  return json;
}

}  // namespace atelier
