#include "plan/task_builder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>

#include "plan/decision.h"
#include "plan/key.h"
#include "plan/memory.h"
#include "plan/output_state.h"

namespace atelier {

// What arrives at a step's ports.
struct TaskBuilder::Arrival {
  std::vector<TaskPort> ports;
  std::vector<PortContent> content;
  bool known = true;        // all digests are
  std::string unavailable;  // why something cannot be had; empty: all can
};

namespace {

std::vector<TaskId> dependencies_of(const std::vector<TaskPort>& ports) {
  std::vector<TaskId> all;
  for (const auto& port : ports)
    for (const auto& source : port.sources)
      if (source.kind == TaskSource::Kind::task) all.push_back(TaskId{source.index});
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  all.shrink_to_fit();
  return all;
}

// But for customers with params of their own, who are few or have tasks of their own anyhow.
std::size_t tasks_at_most(const Batch& batch, const PlanOptions& options) {
  const std::size_t customers = options.only.empty() ? batch.customers.size() : options.only.size();
  std::size_t most = 0;
  for (const auto& step : batch.pipeline.steps) most += step.scope == Scope::customer ? customers : 1;
  for (const auto& output : batch.pipeline.outputs) most += output.scope == Scope::customer ? customers : 1;
  return most;
}

}  // namespace

TaskBuilder::TaskBuilder(const Batch& batch, const PlanOptions& options, const PlanSeams& seams)
    : batch_(batch),
      options_(options),
      seams_(seams),
      place_(batch_place(batch)),
      opener_(batch, seams.digest, seams.real_path) {
  plan_.step_tasks.assign((shared_row(batch) + 1) * batch.pipeline.steps.size(), kNoTask);
  const std::size_t most = tasks_at_most(batch, options);
  plan_.tasks.reserve(most);
  by_recipe_.reserve(most);
}

std::size_t TaskBuilder::slot(std::size_t row, std::size_t step) const {
  return row * batch_.pipeline.steps.size() + step;
}

const Customer* TaskBuilder::customer_of(std::size_t row) const {
  return row == shared_row(batch_) ? nullptr : &batch_.customers[row];
}

void TaskBuilder::share_step(std::size_t row, std::size_t step) {
  plan_.step_tasks[slot(row, step)] = step_task(shared_row(batch_), step);
}

std::optional<Digest> TaskBuilder::known_digest(const TaskSource& source) const {
  if (source.kind == TaskSource::Kind::input) {
    const PlanInput& input = opener_.inputs()[source.index];
    return input.error ? std::nullopt : std::optional(input.digest);
  }
  const Task& task = plan_.tasks[source.index];
  if (task.action == Action::skip || !task.record) return std::nullopt;
  return task.record->outputs.find(std::string(source.port))->second.digest;
}

TaskBuilder::Arrival TaskBuilder::arrive(std::size_t row, const PipelineStep& step) {
  Arrival arrival;
  arrival.ports.reserve(step.inputs.size());
  arrival.content.reserve(step.inputs.size());
  for (const auto& binding : step.inputs) {
    TaskPort port{binding.spec->name, {}};
    PortContent content{binding.spec->name, {}};
    port.sources.reserve(binding.sources.size());
    content.items.reserve(binding.sources.size());
    for (const auto& wanted : binding.sources) {
      TaskSource source;
      if (wanted.kind == Source::Kind::input) {
        source.index = opener_.open(wanted.index, customer_of(row));
        const PlanInput& input = opener_.inputs()[source.index];
        if (input.error) arrival.unavailable = fmt::format("input '{}': {}", input.name, input.error->message);
      } else {
        const Task& made_by = plan_.task(step_task(row, wanted.index));
        const PortSpec* output = batch_.pipeline.steps[wanted.index].node->spec().output(wanted.port);
        source = {TaskSource::Kind::task, static_cast<std::uint32_t>(index_of(made_by.id)), output->name};
        if (made_by.action == Action::skip) arrival.unavailable = made_by.reason;
      }
      if (const auto digest = known_digest(source)) {
        content.items.push_back({*digest, {}});
      } else {
        const bool is_input = source.kind == TaskSource::Kind::input;
        content.items.push_back({is_input ? opener_.inputs()[source.index].digest : plan_.tasks[source.index].recipe,
                                 is_input ? "input" : source.port});
        arrival.known = false;
      }
      port.sources.push_back(source);
    }
    arrival.ports.push_back(std::move(port));
    arrival.content.push_back(std::move(content));
  }
  return arrival;
}

std::string TaskBuilder::waits_for(const std::vector<TaskPort>& ports) const {
  std::vector<std::string> names;
  for (const auto& port : ports)
    for (const auto& source : port.sources) {
      if (known_digest(source)) continue;
      std::string name = step_name(plan_, batch_, TaskId{source.index});
      if (std::ranges::count(names, name) == 0) names.push_back(std::move(name));
    }
  return fmt::format("waits for {}", fmt::join(names, ", "));
}

void TaskBuilder::decide(Task& task, std::size_t row, const Arrival& arrival) const {
  const auto failed = options_.failed.find(task.recipe);
  if (!arrival.unavailable.empty() || failed != options_.failed.end()) {
    task.action = Action::skip;
    task.reason = arrival.unavailable.empty() ? failed->second : arrival.unavailable;
    return;
  }
  const PipelineStep& step = batch_.pipeline.steps[task.step];
  const NodeSpec& spec = step.node->spec();
  if (task.key) task.record = usable_record(seams_.ledger, spec, *task.key);
  if (task.record) {
    task.action = Action::reuse;
    task.reason = "reused";
    return;
  }
  const Customer* customer = customer_of(row);
  const auto arrived = [&] {
    return arrived_inputs(opener_.inputs(), spec, task.inputs,
                          [this](const TaskSource& source) { return known_digest(source); });
  };
  task.action = task.key ? Action::run : Action::wait;
  task.reason = run_reason(seams_, {place_, customer ? customer->id : "", step.name}, spec, *task.params, task.key,
                           arrived, [&] { return waits_for(task.inputs); });
}

TaskId TaskBuilder::append(Task task, const Digest& recipe) {
  task.id = TaskId{static_cast<std::uint32_t>(plan_.tasks.size())};
  by_recipe_.emplace(recipe, task.id);
  plan_.tasks.push_back(std::move(task));
  return plan_.tasks.back().id;
}

// Customers come in the order of the batch, so a customer that has the task already is its last.
void TaskBuilder::claim(Task& task, std::size_t row) const {
  if (row == shared_row(batch_)) {
    task.for_batch = true;
    return;
  }
  const auto customer = static_cast<std::uint32_t>(row);
  if (task.customers.empty() || task.customers.back() != customer) task.customers.push_back(customer);
}

void TaskBuilder::add_step(std::size_t row, std::size_t step, const EvaluatedParams& params) {
  const PipelineStep& declared = batch_.pipeline.steps[step];
  Arrival arrival = arrive(row, declared);
  const Digest recipe = task_digest(declared.node->spec(), params.node, arrival.content);
  const auto found = by_recipe_.find(recipe);
  TaskId id = found == by_recipe_.end() ? kNoTask : found->second;
  if (id == kNoTask) {
    Task task;
    task.step = static_cast<std::uint32_t>(step);
    task.params = params.params;
    task.inputs = std::move(arrival.ports);
    task.dependencies = dependencies_of(task.inputs);
    task.recipe = recipe;
    if (arrival.known) task.key = recipe;
    decide(task, row, arrival);
    id = append(std::move(task), recipe);
  }
  claim(plan_.tasks[index_of(id)], row);
  plan_.step_tasks[slot(row, step)] = id;
}

void TaskBuilder::decide_output(Task& task, const std::optional<Digest>& source) const {
  const Task& from = plan_.tasks[task.inputs.front().sources.front().index];
  const auto failed = options_.failed.find(task.recipe);
  if (from.action == Action::skip || failed != options_.failed.end()) {
    task.action = Action::skip;
    task.reason = from.action == Action::skip ? from.reason : failed->second;
    return;
  }
  const auto state =
      output_state(seams_.files, seams_.ledger, output_location(options_.out, task.output_path), source, seams_.digest);
  if (state == OutputState::up_to_date) {
    task.action = source ? Action::reuse : Action::wait;
    task.reason = source ? name_of(state) : waits_for(task.inputs);
    return;
  }
  task.action = source ? Action::run : Action::wait;
  task.reason = name_of(state);
}

TaskId TaskBuilder::add_output(std::size_t row, std::size_t output, std::string path) {
  const PipelineOutput& declared = batch_.pipeline.outputs[output];
  const TaskId from = step_task(row, declared.step);
  const PortSpec* port = batch_.pipeline.steps[declared.step].node->spec().output(declared.port);
  const TaskSource source{TaskSource::Kind::task, static_cast<std::uint32_t>(index_of(from)), port->name};
  const auto digest = known_digest(source);
  const Digest recipe = Encoder()
                            .text("atelier output")
                            .text(path)
                            .digest(digest.value_or(plan_.task(from).recipe))
                            .text(digest ? std::string_view() : source.port)
                            .finish();
  const auto found = by_recipe_.find(recipe);
  TaskId id = found == by_recipe_.end() ? kNoTask : found->second;
  if (id == kNoTask) {
    Task task;
    task.step = static_cast<std::uint32_t>(output);
    task.is_output = true;
    task.inputs = {{kOutputPort, {source}}};
    task.dependencies = {from};
    task.recipe = recipe;
    task.output_path = std::move(path);
    decide_output(task, digest);
    id = append(std::move(task), recipe);
  }
  claim(plan_.tasks[index_of(id)], row);
  return id;
}

Plan TaskBuilder::take() {
  plan_.inputs = opener_.take();
  for (const Task& task : plan_.tasks)
    for (const TaskId source : task.dependencies) plan_.tasks[index_of(source)].dependents.push_back(task.id);
  return std::move(plan_);
}

}  // namespace atelier
