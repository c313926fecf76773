#include "run/task_table.h"

#include <fmt/format.h>

#include "run/error_names.h"

namespace atelier {
namespace {

using State = TaskResult::State;

}  // namespace

TaskTable::TaskTable(const Plan& plan, const Batch& batch, int wave, RunHistory& history, EventBus& events,
                     const Clock& clock)
    : plan_(plan),
      batch_(batch),
      wave_(wave),
      history_(history),
      events_(events),
      clock_(clock),
      results_(plan.tasks.size()),
      customers_of_(plan.tasks.size()),
      customers_(plan.by_customer.size()) {
  for (std::uint32_t customer = 0; customer < plan.by_customer.size(); ++customer) {
    customers_[customer].left = static_cast<std::uint32_t>(plan.by_customer[customer].size());
    for (const TaskId id : plan.by_customer[customer]) customers_of_[index_of(id)].push_back(customer);
  }
}

FinishedRecord TaskTable::records() const {
  return [this](TaskId id) { return result(id).well() ? result(id).record.get() : nullptr; };
}

TaskRef TaskTable::ref(TaskId id) const {
  return {static_cast<std::uint32_t>(id), wave_, display_name(plan_, batch_, id)};
}

// A failure upstream weighs more than a stop, and that more than a lost input: what cannot end well need not be tried
// again.
std::optional<TaskResult> TaskTable::blocked(TaskId id) const {
  const Task& task = plan_.tasks[index_of(id)];
  if (task.action == Action::skip) return TaskResult{.state = State::skipped, .error = {.message = task.reason}};
  std::optional<TaskId> failed, stopped, lost;
  for (const TaskId dependency : task.dependencies) {
    const State state = result(dependency).state;
    if (state == State::failed || state == State::skipped) failed = failed.value_or(dependency);
    if (state == State::stopped) stopped = dependency;
    if (state == State::input_lost) lost = dependency;
  }
  if (failed) {
    const TaskId cause = root_cause(*failed);
    const TaskResult& root = result(cause);
    const auto reason =
        root.state == State::failed ? fmt::format("{} failed", display_name(plan_, batch_, cause)) : root.error.message;
    return TaskResult{.state = State::skipped, .error = {.message = reason}, .cause = cause};
  }
  if (stopped) return TaskResult{.state = State::stopped};
  if (lost)
    return TaskResult{
        .state = State::input_lost,
        .error = {ErrorKind::input_lost, fmt::format("waits for {}", display_name(plan_, batch_, *lost))}};
  return {};
}

TaskId TaskTable::root_cause(TaskId id) const {
  while (result(id).cause) id = *result(id).cause;
  return id;
}

void TaskTable::end(TaskId id, TaskResult ended) {
  auto& result = results_[index_of(id)];
  if (result.state != State::pending) throw Fault("a task ended twice");
  result = std::move(ended);
  if (result.state == State::input_lost) ++lost_;
  if (result.state == State::finished) ++history_.executed;
  if (result.state == State::failed || result.state == State::skipped) note_failure(id, result);
  tell(id, result);
  count_for_customers(id, result);
}

// The ends that the task itself tells, when they are durable, are not told again here.
void TaskTable::tell(TaskId id, const TaskResult& result) {
  switch (result.state) {
    case State::failed:
      events_.emit(TaskFailed{ref(id), std::string(result.crashed ? "crashed" : name_of(result.error.kind)),
                              result.error.message, result.log, customers(id)});
      break;
    case State::skipped:
      events_.emit(TaskSkipped{ref(id), result.error.message});
      break;
    case State::stopped:
      events_.emit(TaskStopped{ref(id), result.started});
      break;
    case State::input_lost:
      events_.emit(TaskInputLost{ref(id), result.error.message});
      break;
    default:
      break;
  }
}

// By key and by recipe: the next wave may know a key where this one knew none.
void TaskTable::note_failure(TaskId id, const TaskResult& result) {
  const Task& task = plan_.tasks[index_of(id)];
  if (result.state == State::failed) {
    const KnownFailure entry{display_name(plan_, batch_, id), result.error.message, result.log};
    history_.failures.emplace(task.recipe, entry);
    if (task.key) history_.failures.emplace(*task.key, entry);
    if (result.key) history_.failures.emplace(*result.key, entry);
  }
  if (customers_of_[index_of(id)].empty()) history_.batch_task_failed = true;
}

void TaskTable::count_for_customers(TaskId id, const TaskResult& result) {
  for (const auto customer : customers_of_[index_of(id)]) {
    auto& state = customers_[customer];
    state.failed |= result.state == State::failed || result.state == State::skipped;
    state.stopped |= result.state == State::stopped;
    state.lost |= result.state == State::input_lost;
    if (--state.left == 0) finish_customer(customer);
  }
}

void TaskTable::finish_customer(std::uint32_t customer) {
  const auto& state = customers_[customer];
  if (state.lost && !state.failed && !state.stopped) return;  // another wave decides
  if (state.stopped && !state.failed) {
    events_.emit(
        CustomerFinished{.result = CustomerFinished::Result::stopped, .customer = batch_.customers[customer].id});
    return;
  }
  if (!history_.finished_customers.insert(customer).second) return;
  CustomerFinished told{.customer = batch_.customers[customer].id,
                        .seconds = std::chrono::duration<double>(clock_.now() - history_.started).count()};
  if (state.failed) {
    ++history_.failed_customers;
    told.result = CustomerFinished::Result::failed;
    tell_why(customer, told);
  }
  for (const TaskId id : plan_.by_customer[customer])
    if (const Task& task = plan_.tasks[index_of(id)]; task.is_output && result(id).well())
      told.outputs.push_back(task.output_path);
  events_.emit(std::move(told));
}

// The first failure in the plan's order, whichever happened first.
void TaskTable::tell_why(std::uint32_t customer, CustomerFinished& told) const {
  for (const TaskId id : plan_.by_customer[customer]) {
    const State state = result(id).state;
    if (state != State::failed && state != State::skipped) continue;
    const TaskId cause = root_cause(id);
    const Task& task = plan_.tasks[index_of(cause)];
    told.failed_task = display_name(plan_, batch_, cause);
    told.why = result(cause).error.message;
    told.log = result(cause).log;
    auto known = history_.failures.find(task.recipe);
    if (known == history_.failures.end() && task.key) known = history_.failures.find(*task.key);
    if (known == history_.failures.end()) return;
    told.failed_task = known->second.task;
    told.why = known->second.why;
    told.log = known->second.log;
    return;
  }
}

}  // namespace atelier
