#include "run/events.h"

namespace atelier {
namespace {

using Json = nlohmann::ordered_json;

void put(Json& line, const TaskRef& task) {
  line["task"] = task.name;
  line["id"] = task.id;
  line["wave"] = task.wave;
}

void put(Json& line, const RunStarted& e) {
  line["version"] = events_version;
  line["run"] = e.run;
  line["batch"] = e.batch;
  line["pipeline"] = e.pipeline;
  line["out"] = e.out;
  line["customers"] = e.customers;
  line["devices"] = e.devices;
  line["cores"] = e.cores;
  line["window"] = e.window;
  line["threads_per_device"] = e.threads_per_device;
  line["cache"] = e.cache;
  line["customer_ids"] = e.customer_ids;
  line["params"] = e.params;
  line["versions"] = e.versions;
}

void put(Json& line, const WaveStarted& e) {
  line["wave"] = e.wave;
  line["tasks"] = e.tasks;
  line["to_run"] = e.to_run;
  line["waiting"] = e.waiting;
  line["reused"] = e.reused;
  line["skipped"] = e.skipped;
  line["guess_s"] = e.guess_s;
}

void put(Json& line, const TaskPlanned& e) {
  put(line, e.task);
  line["step"] = e.step;
  line["node"] = e.node;
  line["customers"] = e.customers;
  if (e.settled) line["settled"] = true;
  if (e.on_device) line["on_device"] = true;
  if (e.expected_s > 0) line["expected_s"] = e.expected_s;
  if (!e.after.empty()) line["after"] = e.after;
}

void put(Json& line, const TaskStarted& e) {
  put(line, e.task);
  line["node"] = e.node;
  line["device"] = e.device;
  line["threads"] = e.threads;
  line["attempt"] = e.attempt;
  line["reason"] = e.reason;
  if (e.key) line["key"] = e.key->hex();
  line["customers"] = e.customers;
  line["guess_s"] = e.guess_s;
}

void put(Json& line, const TaskProgress& e) {
  put(line, e.task);
  line["fraction"] = e.fraction;
  line["what"] = e.what;
}

void put(Json& line, const TaskMetric& e) {
  put(line, e.task);
  line["name"] = e.name;
  line["step"] = e.step;
  line["value"] = e.value;
}

void put(Json& line, const TaskWarning& e) {
  put(line, e.task);
  line["text"] = e.text;
  line["reused"] = e.reused;
}

void put(Json& line, const TaskPreview& e) {
  put(line, e.task);
  line["name"] = e.name;
  line["digest"] = e.digest.hex();
  line["key"] = e.key.hex();
}

void put(Json& line, const TaskFinished& e) {
  put(line, e.task);
  line["key"] = e.key.hex();
  line["seconds"] = e.seconds;
  line["customers"] = e.customers;
  auto& outputs = line["outputs"] = Json::object();
  for (const auto& [port, output] : e.outputs)
    outputs[port] = {{"digest", output.digest.hex()}, {"size_bytes", output.size_bytes}};
}

void put(Json& line, const TaskReused& e) {
  put(line, e.task);
  if (e.key) line["key"] = e.key->hex();
  line["reason"] = e.reason;
  line["saved_s"] = e.saved_s;
  line["customers"] = e.customers;
  if (!e.made_in.empty()) line["made_in"] = e.made_in;
  if (!e.curves.empty()) line["curves"] = e.curves;
}

void put(Json& line, const TaskRetried& e) {
  put(line, e.task);
  line["message"] = e.message;
  line["attempt"] = e.attempt;
  line["delay_s"] = e.delay_s;
  line["alone"] = e.alone;
}

void put(Json& line, const TaskFailed& e) {
  put(line, e.task);
  line["kind"] = e.kind;
  line["message"] = e.message;
  line["log"] = e.log;
  line["customers"] = e.customers;
}

void put(Json& line, const TaskSkipped& e) {
  put(line, e.task);
  line["reason"] = e.reason;
}

void put(Json& line, const TaskStopped& e) {
  put(line, e.task);
  line["started"] = e.started;
}

void put(Json& line, const TaskInputLost& e) {
  put(line, e.task);
  line["message"] = e.message;
}

void put(Json& line, const OutputWritten& e) {
  put(line, e.task);
  line["path"] = e.path;
  line["reason"] = e.reason;
  line["digest"] = e.digest.hex();
  line["seconds"] = e.seconds;
}

void put(Json& line, const CustomerFinished& e) {
  constexpr const char* results[] = {"succeeded", "failed", "stopped"};
  line["customer"] = e.customer;
  line["result"] = results[static_cast<int>(e.result)];
  line["seconds"] = e.seconds;
  if (!e.failed_task.empty()) line["failed_task"] = e.failed_task;
  if (!e.why.empty()) line["why"] = e.why;
  if (!e.log.empty()) line["log"] = e.log;
  line["outputs"] = e.outputs;
}

void put(Json& line, const StopRequested& e) {
  line["signal"] = e.signal;
  line["reason"] = e.reason;
}

void put(Json& line, const RunFinished& e) {
  line["exit_code"] = e.exit_code;
  line["seconds"] = e.seconds;
}

}  // namespace

std::string_view name_of(const Event& event) noexcept {
  // In the order of Event::what.
  constexpr std::string_view names[] = {"run_started",       "wave_started",   "task_planned",    "task_started",
                                        "task_progress",     "task_metric",    "task_warning",    "task_preview",
                                        "task_finished",     "task_reused",    "task_retried",    "task_failed",
                                        "task_skipped",      "task_stopped",   "task_input_lost", "output_written",
                                        "customer_finished", "stop_requested", "run_finished"};
  static_assert(std::size(names) == std::variant_size_v<decltype(event.what)>);
  return names[event.what.index()];
}

nlohmann::ordered_json to_json(const Event& event) {
  Json line;
  line["event"] = name_of(event);
  line["time"] = event.time_s;
  std::visit([&](const auto& what) { put(line, what); }, event.what);
  return line;
}

}  // namespace atelier
