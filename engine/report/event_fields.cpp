#include "report/event_fields.h"

#include <functional>
#include <limits>

namespace atelier {
namespace {

using Json = nlohmann::json;
using Fields = EventFields;

RunStarted run_started(const Fields& f) {
  return {.run = f.text("run"),
          .batch = f.text("batch"),
          .pipeline = f.text("pipeline"),
          .out = f.text("out"),
          .customers = f.count("customers"),
          .devices = f.texts("devices"),
          .cores = static_cast<int>(f.whole("cores")),
          .window = f.count("window"),
          .threads_per_device = static_cast<int>(f.whole("threads_per_device")),
          .cache = f.text("cache"),
          .customer_ids = f.texts("customer_ids"),
          .params = f.text_by_name("params"),
          .versions = f.text_by_name("versions")};
}

WaveStarted wave_started(const Fields& f) {
  return {static_cast<int>(f.whole("wave")),
          f.count("tasks"),
          f.count("to_run"),
          f.count("waiting"),
          f.count("reused"),
          f.count("skipped"),
          f.number("guess_s")};
}

TaskPlanned task_planned(const Fields& f) {
  return {f.task(),          f.text("step"),      f.text("node"),         f.texts("customers"),
          f.flag("settled"), f.flag("on_device"), f.number("expected_s"), f.ids("after")};
}

TaskStarted task_started(const Fields& f) {
  return {.task = f.task(),
          .node = f.text("node"),
          .device = f.text("device"),
          .reason = f.text("reason"),
          .threads = static_cast<int>(f.whole("threads")),
          .attempt = static_cast<int>(f.whole("attempt")),
          .key = f.digest("key"),
          .customers = f.count("customers"),
          .guess_s = f.number("guess_s")};
}

TaskPreview task_preview(const Fields& f) {
  return {f.task(), f.text("name"), f.digest("digest").value_or(Digest{}), f.digest("key").value_or(Digest{})};
}

TaskFinished task_finished(const Fields& f) {
  return {f.task(), f.digest("key").value_or(Digest{}), f.number("seconds"), f.outputs("outputs"),
          f.count("customers")};
}

TaskReused task_reused(const Fields& f) {
  return {.task = f.task(),
          .reason = f.text("reason"),
          .key = f.digest("key"),
          .saved_s = f.number("saved_s"),
          .customers = f.count("customers"),
          .made_in = f.text("made_in"),
          .curves = f.texts("curves")};
}

TaskFailed task_failed(const Fields& f) {
  return {f.task(), f.text("kind"), f.text("message"), f.text("log"), f.count("customers")};
}

TaskRetried task_retried(const Fields& f) {
  return {f.task(), f.text("message"), static_cast<int>(f.whole("attempt")), f.number("delay_s"), f.flag("alone")};
}

OutputWritten output_written(const Fields& f) {
  return {f.task(), f.text("path"), f.text("reason"), f.digest("digest").value_or(Digest{}), f.number("seconds")};
}

CustomerFinished customer_finished(const Fields& f) {
  using Result = CustomerFinished::Result;
  const auto result = f.text("result");
  return {result == "succeeded" ? Result::succeeded
          : result == "failed"  ? Result::failed
                                : Result::stopped,
          f.text("customer"),
          f.number("seconds"),
          f.text("failed_task"),
          f.text("why"),
          f.text("log"),
          f.texts("outputs")};
}

template <class Make>
std::function<Event(const Fields&)> reader(Make make) {
  return [make](const Fields& f) { return Event{f.number("time"), make(f)}; };
}

const std::map<std::string, std::function<Event(const Fields&)>>& readers() {
  static const std::map<std::string, std::function<Event(const Fields&)>> all{
      {"run_started", reader(run_started)},
      {"wave_started", reader(wave_started)},
      {"task_planned", reader(task_planned)},
      {"task_started", reader(task_started)},
      {"task_progress",
       reader([](const Fields& f) { return TaskProgress{f.task(), f.number("fraction"), f.text("what")}; })},
      {"task_metric", reader([](const Fields& f) {
         return TaskMetric{f.task(), f.text("name"), f.whole("step"), f.number("value")};
       })},
      {"task_warning", reader([](const Fields& f) { return TaskWarning{f.task(), f.text("text"), f.flag("reused")}; })},
      {"task_preview", reader(task_preview)},
      {"task_finished", reader(task_finished)},
      {"task_reused", reader(task_reused)},
      {"task_retried", reader(task_retried)},
      {"task_failed", reader(task_failed)},
      {"task_skipped", reader([](const Fields& f) { return TaskSkipped{f.task(), f.text("reason")}; })},
      {"task_stopped", reader([](const Fields& f) { return TaskStopped{f.task(), f.flag("started")}; })},
      {"task_input_lost", reader([](const Fields& f) { return TaskInputLost{f.task(), f.text("message")}; })},
      {"output_written", reader(output_written)},
      {"customer_finished", reader(customer_finished)},
      {"stop_requested",
       reader([](const Fields& f) { return StopRequested{static_cast<int>(f.whole("signal")), f.text("reason")}; })},
      {"run_finished", reader([](const Fields& f) {
         return RunFinished{static_cast<int>(f.whole("exit_code")), f.number("seconds")};
       })}};
  return all;
}

}  // namespace

const Json* EventFields::find(const char* name) const {
  const auto found = line_.find(name);
  return found == line_.end() ? nullptr : &*found;
}

std::string EventFields::text(const char* name) const {
  const Json* const value = find(name);
  return value && value->is_string() ? value->get<std::string>() : "";
}

double EventFields::number(const char* name) const {
  const Json* const value = find(name);  // what is no number of JSON (a loss that is not finite) is written as null
  if (value && value->is_null()) return std::numeric_limits<double>::quiet_NaN();
  return value && value->is_number() ? value->get<double>() : 0;
}

std::size_t EventFields::count(const char* name) const {
  const Json* const value = find(name);
  return value && value->is_number_unsigned() ? value->get<std::size_t>() : 0;
}

bool EventFields::flag(const char* name) const {
  const Json* const value = find(name);
  return value && value->is_boolean() && value->get<bool>();
}

std::optional<Digest> EventFields::digest(const char* name) const { return Digest::from_hex(text(name)); }

std::vector<std::string> EventFields::texts(const char* name) const {
  std::vector<std::string> all;
  if (const Json* const value = find(name); value && value->is_array())
    for (const auto& one : *value)
      if (one.is_string()) all.push_back(one.get<std::string>());
  return all;
}

std::vector<std::uint32_t> EventFields::ids(const char* name) const {
  std::vector<std::uint32_t> all;
  if (const Json* const value = find(name); value && value->is_array())
    for (const auto& one : *value)
      if (one.is_number_unsigned()) all.push_back(one.get<std::uint32_t>());
  return all;
}

std::map<std::string, std::string> EventFields::text_by_name(const char* name) const {
  std::map<std::string, std::string> all;
  if (const Json* const value = find(name); value && value->is_object())
    for (const auto& [key, one] : value->items())
      if (one.is_string()) all[key] = one.get<std::string>();
  return all;
}

std::map<std::string, OutputRecord> EventFields::outputs(const char* name) const {
  std::map<std::string, OutputRecord> all;
  if (const Json* const value = find(name); value && value->is_object())
    for (const auto& [port, one] : value->items())
      if (one.is_object())
        all[port] = {EventFields(one).digest("digest").value_or(Digest{}), EventFields(one).count("size_bytes")};
  return all;
}

TaskRef EventFields::task() const {
  return {static_cast<std::uint32_t>(count("id")), static_cast<int>(count("wave")), text("task")};
}

std::optional<Event> event_of(const Json& line) {
  const EventFields fields(line);
  const auto found = readers().find(fields.text("event"));
  if (found == readers().end()) return std::nullopt;
  return found->second(fields);
}

}  // namespace atelier
