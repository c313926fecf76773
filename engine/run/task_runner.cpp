#include "run/task_runner.h"

#include <fmt/format.h>

#include "base/try_again.h"
#include "plan/costs.h"
#include "plan/memory.h"
#include "run/error_names.h"
#include "run/reuse.h"
#include "run/shown_record.h"

namespace atelier {
namespace {

using State = TaskResult::State;

constexpr double least_measured_s = 0.001;  // what takes less does not count in a night, and need not be told apart

double seconds_between(Clock::Instant from, Clock::Instant to) {
  return std::chrono::duration<double>(to - from).count();
}

Record record_of(const NodeSpec& spec, const Digest& key, std::map<std::string, OutputRecord> outputs) {
  Record record;
  record.key = key;
  record.node = spec.name;
  record.node_version = spec.version;
  record.outputs = std::move(outputs);
  return record;
}

}  // namespace

struct TaskRunner::Running {
  const Assignment& assignment;
  const Task& task;
  TaskRef ref;
  std::optional<Digest> key{};
  std::vector<std::string> warnings{};
  Shown shown{};
  bool checkpoints = false;  // it asked for one or saved one
  bool resumed = false;      // it went on from one

  const Admission& admission() const { return assignment.admission; }
  Attempt& attempt() const { return *assignment.attempt; }
};

TaskRunner::TaskRunner(const Surroundings& around)
    : around_(around),
      seams_{around.ledger, around.store, around.files, around.digest},
      context_{around.store, around.files, around.clock, around.events, around.stop, around.folder},
      graph_(around.plan, around.batch, around.table.records()),
      inputs_(graph_, around.store, around.registry),
      writer_(around.files, around.ledger, around.digest, around.out) {}

Device& TaskRunner::device_of(const Running& running) const {
  const auto& device = running.admission().device;
  return device ? *around_.devices.devices[*device] : *around_.devices.cpu;
}

TaskResult TaskRunner::run(const Assignment& assignment) const noexcept {
  const TaskId id = assignment.admission.task;
  try {
    Running running{.assignment = assignment, .task = around_.plan.tasks[index_of(id)], .ref = around_.table.ref(id)};
    try {
      return running.task.is_output ? run_output(running) : run_step(running);
    } catch (const std::bad_alloc&) {
      return ended_with(running, {ErrorKind::out_of_memory, "out of memory"});
    } catch (const UserError& error) {
      return ended_with(running, {ErrorKind::input, error.what()});
    } catch (const std::exception& error) {
      return ended_with(running, {ErrorKind::fault, error.what()});
    }
  } catch (...) {  // what fails here fails everywhere
    return {.state = State::failed, .error = {ErrorKind::fault, "the task and the telling of its failure failed"}};
  }
}

TaskResult TaskRunner::run_step(Running& running) const {
  const TaskId id = running.task.id;
  const auto resolution = resolve(around_.plan, around_.batch, around_.out, id, around_.table.records(), seams_);
  running.key = resolution.key;
  around_.lease.add(resolution.key);
  if (resolution.action == Action::reuse) return reused(running, resolution.record, resolution.reason);
  if (!resolution.missing.empty()) {
    const auto lost = display_name(around_.plan, around_.batch, resolution.missing.front());
    return ended_with(running, {ErrorKind::input_lost, fmt::format("the content of {} is missing", lost)});
  }
  const auto claim = around_.store.try_claim(resolution.key);
  if (!claim && claim.error().kind == ErrorKind::transient) return ended_with(running, claim.error());
  if (!claim) return halted(claim.error());
  if (!*claim) return {.state = State::busy};
  // Another process may have finished it between the look-up and the claim, and dropped its content since.
  around_.ledger.refresh();
  if (const auto made = made_meanwhile(running, resolution))
    return reused(running, made, "made meanwhile by another run");
  tell_start(running, resolution.reason, resolution.key);
  return make(running, resolution.key);
}

std::shared_ptr<const Record> TaskRunner::made_meanwhile(const Running& running, const Resolution& before) const {
  auto record = around_.ledger.find(before.key);
  if (!record) return nullptr;
  if (around_.store.has(before.key)) return std::make_shared<const Record>(std::move(*record));
  if (before.record) return nullptr;  // its content is wanted again, and nobody has made it
  const auto now = resolve(around_.plan, around_.batch, around_.out, running.task.id, around_.table.records(), seams_);
  return now.action == Action::reuse ? now.record : nullptr;
}

TaskResult TaskRunner::make(Running& running, const Digest& key) const {
  const auto own = [&]() -> Expected<void> {
    const auto owners = owners_of(around_.plan, around_.batch, running.task.id);
    around_.lease.add(shown_key(key));
    if (auto owned = around_.ledger.add_owners(shown_key(key), owners); !owned) return owned;
    return around_.ledger.add_owners(key, owners);
  };
  TaskContext context(context_, running.ref, key, running.admission().threads, running.attempt(), own);
  auto made = around_.workers && running.admission().device ? make_in_worker(running, key, context)
                                                            : make_here(running, key, context);
  if (running.attempt().given_up()) return {.state = State::stopped};
  if (!made) return not_made(running, std::move(made.error()));
  running.warnings = context.warnings();
  running.shown = context.shown();
  running.checkpoints = context.used_checkpoints();
  running.resumed = context.resumed();
  return keep(running, key, std::move(*made));
}

tl::expected<Made, NotMade> TaskRunner::make_here(Running& running, const Digest& key, TaskContext& context) const {
  const Node& node = graph_.node(running.task.id);
  Device& device = device_of(running);
  const auto inputs = inputs_.open(running.task.id, context, device);
  if (!inputs) return tl::unexpected(NotMade{.error = inputs.error()});
  const auto began = around_.clock.now();
  const auto outputs = run_node(node, around_.registry, Job{*inputs, *running.task.params, context}, device);
  if (!outputs) return tl::unexpected(NotMade{.error = outputs.error()});
  Made made{.outputs = {}, .seconds = seconds_between(began, around_.clock.now())};
  for (const auto& [port, artifact] : *outputs) made.outputs[port] = {digest_of(artifact), artifact.size_bytes()};
  if (node.spec().keep == Keep::recipe || running.attempt().given_up()) return made;
  auto told = provenance(running);
  told["seconds"] = made.seconds;
  if (const auto put = try_again([&] { return around_.store.put(key, *outputs, told); }); !put)
    return tl::unexpected(NotMade{.error = put.error(), .halts = true});
  return made;
}

// Whose the task is stands in the ledger before the worker can save a checkpoint of it.
tl::expected<Made, NotMade> TaskRunner::make_in_worker(Running& running, const Digest& key,
                                                       TaskContext& context) const {
  auto order = order_of(graph_, running.task.id);
  if (!order) return tl::unexpected(NotMade{.error = order.error()});
  if (const auto owned = context.own(); !owned) return tl::unexpected(NotMade{.error = owned.error(), .halts = true});
  order->key = key;
  order->threads = running.admission().threads;
  order->times_out_of_memory = running.attempt().times_out_of_memory();
  order->scratch = context.scratch();
  order->provenance = provenance(running);
  return around_.workers->run(*running.admission().device, *order, context, running.attempt(), around_.stop);
}

TaskResult TaskRunner::not_made(Running& running, NotMade what) const {
  if (what.halts) return halted(what.error);
  TaskResult result = ended_with(running, std::move(what.error));
  result.crashed = what.crashed;
  return result;
}

nlohmann::json TaskRunner::provenance(const Running& running) const {
  nlohmann::json told{{"device", device_of(running).id()},
                      {"threads", running.admission().threads},
                      {"attempt", running.assignment.number},
                      {"run", around_.folder.name}};
  if (const int times = running.attempt().times_out_of_memory(); times > 0) told["times_out_of_memory"] = times;
  return told;
}

// Content before record, record before the event: what is told is durable.
TaskResult TaskRunner::keep(Running& running, const Digest& key, Made made) const {
  const NodeSpec& spec = graph_.node(running.task.id).spec();
  Record record = record_of(spec, key, std::move(made.outputs));
  record.warnings = running.warnings;
  record.cost_s = made.seconds;
  record.provenance = provenance(running);
  record.provenance["seconds"] = made.seconds;
  if (made.seconds >= least_measured_s)
    record.provenance.update(cost_traits(around_.plan, around_.batch, running.task.id));
  if (running.resumed) record.provenance["resumed"] = true;
  const auto owners = owners_of(around_.plan, around_.batch, running.task.id);
  if (keep_shown(running, key, owners)) record.provenance["shown"] = names_of(running.shown);
  const auto committed = try_again([&] { return around_.ledger.commit(record, owners); });
  if (!committed) return halted(committed.error());
  if (running.checkpoints) around_.store.drop_checkpoint(key);
  const auto kept = std::make_shared<const Record>(std::move(record));
  around_.events.emit(TaskFinished{.task = running.ref,
                                   .key = key,
                                   .seconds = made.seconds,
                                   .outputs = kept->outputs,
                                   .customers = around_.table.customers(running.task.id)});
  return {.state = State::finished, .record = kept, .key = key};
}

// Before the result, so that a record names no preview that was never kept. False where nothing was shown or where it
// cannot be kept, which is no reason to fail: the report lacks a picture.
bool TaskRunner::keep_shown(Running& running, const Digest& key, const std::vector<std::string>& owners) const {
  if (running.shown.empty()) return false;
  around_.lease.add(shown_key(key));
  const Artifact shown = running.shown.to_artifact();
  auto kept = put_shown(around_.store, key, shown);
  if (kept) kept = around_.ledger.commit(record_of_shown(key, shown), owners);
  if (!kept) running.attempt().log.add("no previews: " + kept.error().message);
  return kept.has_value();
}

TaskResult TaskRunner::run_output(Running& running) const {
  const TaskId id = running.task.id;
  const auto resolution = resolve(around_.plan, around_.batch, around_.out, id, around_.table.records(), seams_);
  running.key = resolution.key;
  if (resolution.action == Action::reuse) return reused(running, nullptr, resolution.reason);
  if (!resolution.missing.empty()) {
    const auto lost = display_name(around_.plan, around_.batch, resolution.missing.front());
    return ended_with(running, {ErrorKind::input_lost, fmt::format("the content of {} is missing", lost)});
  }
  tell_start(running, resolution.reason, {});
  const auto began = around_.clock.now();
  TaskContext context(context_, running.ref, resolution.key, running.admission().threads, running.attempt());
  const auto inputs = inputs_.open(id, context, device_of(running));
  if (!inputs) return ended_with(running, inputs.error());
  const PipelineOutput& output = around_.batch.pipeline.outputs[running.task.step];
  const auto written =
      writer_.write(inputs->begin()->second.front(), resolution.key, *output.type, running.task.output_path);
  if (!written) return ended_with(running, written.error());
  around_.events.emit(OutputWritten{.task = running.ref,
                                    .path = running.task.output_path,
                                    .reason = resolution.reason,
                                    .digest = *written,
                                    .seconds = seconds_between(began, around_.clock.now())});
  return {.state = State::finished, .key = resolution.key};
}

TaskResult TaskRunner::reused(const Running& running, std::shared_ptr<const Record> record,
                              const std::string& reason) const {
  TaskReused told{.task = running.ref, .reason = reason, .customers = around_.table.customers(running.task.id)};
  if (record) {
    const auto owned =
        own_reused(around_.ledger, around_.lease, record->key, owners_of(around_.plan, around_.batch, running.task.id));
    if (!owned) return halted(owned.error());
    tell_reused(around_.events, around_.ledger, std::move(told), *record);
  } else {
    around_.events.emit(std::move(told));
  }
  return {.state = State::reused, .record = std::move(record), .key = running.key, .reason = reason};
}

TaskResult TaskRunner::hung(const Assignment& assignment) const {
  const TaskId id = assignment.admission.task;
  Running running{.assignment = assignment, .task = around_.plan.tasks[index_of(id)], .ref = around_.table.ref(id)};
  return ended_with(
      running,
      {ErrorKind::fault,
       fmt::format("gave no sign of life for {} s and was given up{}", assignment.attempt->hung_after().count(),
                   assignment.admission.device
                       ? fmt::format("; {} takes no more tasks in this run", device_of(running).id())
                       : "")});
}

TaskResult TaskRunner::ended_with(Running& running, Error error) const {
  if (error.kind == ErrorKind::stopped && !around_.stop.requested() && running.attempt().overdue())
    error = {ErrorKind::transient,
             fmt::format("was not done after {} s, the step's timeout", running.attempt().timeout()->count())};
  if (error.kind == ErrorKind::disk_full) return halted(error);
  TaskResult result{.state = State::failed, .key = running.key};
  if (error.kind == ErrorKind::stopped) {
    result.state = State::stopped;
    result.started = true;
  } else if (error.kind == ErrorKind::input_lost) {
    result.state = State::input_lost;
  } else {
    if (error.kind == ErrorKind::out_of_memory && running.admission().device)
      around_.devices.devices[*running.admission().device]->cache().evict_unused();
    result.log = write_log(running, error);
  }
  result.error = std::move(error);
  return result;
}

// No other task would fare better: the run stops itself, and what the task did is lost up to its last checkpoint.
TaskResult TaskRunner::halted(const Error& error) const {
  around_.stop.halt(halt_reason(error));
  return {.state = State::stopped, .error = error, .started = true};
}

std::string TaskRunner::write_log(const Running& running, const Error& error) const {
  const auto relative = std::filesystem::path("logs") / (file_name_of(running.ref.name) + ".log");
  std::string text =
      fmt::format("{}\non {} with {} thread{}, attempt {}\n", running.ref.name, device_of(running).id(),
                  running.admission().threads, running.admission().threads == 1 ? "" : "s", running.assignment.number);
  if (running.key) text += fmt::format("key {}\n", running.key->hex());
  static const Params none;
  for (const auto& [name, value] : (running.task.params ? *running.task.params : none).all())
    if (!value.absent()) text += fmt::format("{} = {}\n", name, value.show());
  text += running.attempt().log.text() + "failed: " + error.message + '\n';
  auto written = around_.files.make_folders(around_.folder.path / "logs");
  if (written) written = write_file(around_.files, around_.folder.path / relative, text);
  return written ? relative.generic_string() : std::string();
}

void TaskRunner::tell_start(const Running& running, const std::string& reason, const std::optional<Digest>& key) const {
  around_.events.emit(TaskStarted{
      .task = running.ref,
      .node = running.task.is_output ? "" : around_.batch.pipeline.steps[running.task.step].node->spec().name,
      .device = device_of(running).id(),
      .reason = reason,
      .threads = running.admission().threads,
      .attempt = running.assignment.number,
      .key = key,
      .customers = around_.table.customers(running.task.id),
      .guess_s = around_.guess_s(running.task.id)});
}

}  // namespace atelier
