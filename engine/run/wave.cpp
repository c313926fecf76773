#include "run/wave.h"

#include <fmt/format.h>

#include "plan/memory.h"
#include "run/error_names.h"
#include "run/reuse.h"

namespace atelier {
namespace {

using State = TaskResult::State;

TaskRunner::Surroundings task_surroundings(const Wave::Surroundings& around, const TaskTable& table,
                                           const Scheduler& scheduler) {
  return {around.plan,   around.batch,   around.registry, around.store,
          around.ledger, around.files,   around.clock,    around.digest,
          around.out,    around.folder,  around.events,   around.stop,
          table,         around.devices, around.lease,    [&scheduler](TaskId id) { return scheduler.own_s(id); },
          around.workers};
}

}  // namespace

Wave::Wave(const Surroundings& around, const WaveOptions& options)
    : around_(around),
      options_(options),
      table_(around.plan, around.batch, options.number, around.history, around.events, around.clock),
      settled_(find_settled()),
      content_(around.plan, around.batch, around.store, settled_),
      scheduler_(options.capacity, options.window ? options.window : default_window(options.capacity.devices.size()),
                 around.batch.customers.size(), scheduler_tasks()),
      tasks_(task_surroundings(around_, table_, scheduler_)),
      executor_(
          options.capacity.devices.size(), static_cast<std::size_t>(std::max(1, options.capacity.cores)),
          [this](const Assignment& assignment) { return tasks_.run(assignment); },
          [this](const Assignment& assignment) { return kill(assignment); }),
      flow_(around.plan, scheduler_, executor_, *this, around.clock, around.stop, options.hung_after) {}

// A reused task whose dependency runs again is not settled: should that come out different, its key is another.
std::vector<bool> Wave::find_settled() const {
  std::vector<bool> settled(around_.plan.tasks.size());
  for (const Task& task : around_.plan.tasks) {
    bool all = task.action == Action::reuse;
    for (const TaskId dependency : task.dependencies) all = all && settled[index_of(dependency)];
    settled[index_of(task.id)] = all;
  }
  return settled;
}

std::vector<SchedulerTask> Wave::scheduler_tasks() const {
  std::vector<SchedulerTask> tasks;
  tasks.reserve(around_.plan.tasks.size());
  const auto& devices = options_.capacity.devices;
  CostsOfTasks costs(around_.plan, around_.batch, around_.costs,
                     std::string(devices.empty() ? "cpu" : device_kind(devices.front().id)));
  for (const Task& task : around_.plan.tasks) {
    SchedulerTask one{.customers = task.customers, .dependents = task.dependents, .place = Place::cpu, .needs = {}};
    if (settled_[index_of(task.id)])
      one.needs.seconds = 0;
    else
      one.needs = costs.needs_of(task);
    if (const NodeSpec* const spec = spec_of(around_.plan, around_.batch, task.id)) one.place = spec->place;
    tasks.push_back(one);
  }
  return tasks;
}

void Wave::run() {
  for (const Task& task : around_.plan.tasks)
    if (task.key) around_.lease.add(*task.key);
  if (const auto held = around_.lease.flush(); !held) return around_.stop.halt(halt_reason(held.error()));
  tell_start();
  for (const Task& task : around_.plan.tasks)
    if (settled_[index_of(task.id)]) settle(task.id);
  flow_.run(settled_);
}

void Wave::beat() { flow_.beat(); }

void Wave::tell_start() const {
  WaveStarted told{.wave = options_.number, .tasks = around_.plan.tasks.size()};
  for (const Task& task : around_.plan.tasks) {
    if (settled_[index_of(task.id)]) {
      ++told.reused;
      continue;
    }
    ++(task.action == Action::skip ? told.skipped : task.action == Action::run ? told.to_run : told.waiting);
    if (task.action != Action::skip) told.guess_s += scheduler_.own_s(task.id);
  }
  around_.events.emit(told);
  for (const Task& task : around_.plan.tasks) tell_planned(task);
}

void Wave::tell_planned(const Task& task) const {
  const NodeSpec* const spec = spec_of(around_.plan, around_.batch, task.id);
  TaskPlanned told{.task = table_.ref(task.id), .step = step_name(around_.plan, around_.batch, task.id)};
  if (spec) told.node = spec->name;
  told.settled = settled_[index_of(task.id)];
  if (!told.settled) {
    told.on_device = spec && spec->place == Place::device;
    told.expected_s = scheduler_.own_s(task.id);
    for (const TaskId before : task.dependencies) told.after.push_back(static_cast<std::uint32_t>(before));
  }
  if (!task.for_batch)
    for (const auto customer : task.customers) told.customers.push_back(around_.batch.customers[customer].id);
  around_.events.emit(std::move(told));
}

// In another wave what the waves before made is reused too; that is not told again.
void Wave::settle(TaskId id) {
  const Task& task = around_.plan.tasks[index_of(id)];
  if (options_.number == 1) {
    TaskReused told{.task = table_.ref(id), .reason = task.reason, .customers = table_.customers(id), .planned = true};
    if (task.record) {
      const auto owned =
          own_reused(around_.ledger, around_.lease, task.record->key, owners_of(around_.plan, around_.batch, id));
      if (!owned) around_.stop.halt(halt_reason(owned.error()));
      tell_reused(around_.events, around_.ledger, std::move(told), *task.record);
    } else {
      around_.events.emit(std::move(told));
    }
  }
  if (task.record) content_.made(id, task.record->key);
  scheduler_.ended(id);
  TaskResult result;
  result.state = State::reused;
  result.record = task.record;
  result.key = task.key;
  result.reason = task.reason;
  table_.end(id, std::move(result));
}

void Wave::ended(TaskId task, TaskResult result) {
  if (options_.last && result.state == State::input_lost) {
    result.state = State::failed;
    result.error.message += fmt::format("; it was lost in {} waves, the cache's disk may be failing", options_.number);
  }
  const bool well = result.well();
  if (well && result.record) content_.made(task, result.record->key);
  table_.end(task, std::move(result));
  if (well) content_.reader_done(task);
  const auto most = options_.most_failed_customers;
  if (most > 0 && table_.failed_customers() >= most && !around_.stop.requested())
    around_.stop.halt(fmt::format("{} customer{} failed, as many as --max-failures names", table_.failed_customers(),
                                  table_.failed_customers() == 1 ? "" : "s"));
}

// The worker that the task runs in; a task that holds no device runs in this process.
bool Wave::kill(const Assignment& assignment) const {
  if (!around_.workers || !assignment.admission.device) return false;
  around_.workers->kill(*assignment.admission.device);
  return true;
}

TaskLimits Wave::limits(TaskId id) const {
  const Task& task = around_.plan.tasks[index_of(id)];
  if (task.is_output) return {.retries = options_.retries};
  const PipelineStep& step = around_.batch.pipeline.steps[task.step];
  return {.retries = step.retries.value_or(options_.retries), .timeout = step.timeout};
}

TaskResult Wave::hung(const Assignment& assignment) {
  left_behind_ = true;
  if (assignment.admission.device) drained_.push_back(*assignment.admission.device);
  return tasks_.hung(assignment);
}

void Wave::retried(TaskId task, const TaskResult& result, int attempt, std::chrono::milliseconds delay, bool alone) {
  around_.events.emit(TaskRetried{.task = table_.ref(task),
                                  .message = result.error.message,
                                  .attempt = attempt,
                                  .delay_s = std::chrono::duration<double>(delay).count(),
                                  .alone = alone});
}

}  // namespace atelier
