#include "report/report_json.h"

#include "report/verdict.h"

namespace atelier {
namespace {

using Json = nlohmann::ordered_json;

Json customers(const RunStory& story) {
  constexpr const char* results[] = {"succeeded", "failed", "stopped"};
  Json all = Json::array();
  for (const auto& customer : story.customers) {
    Json one{{"id", customer.id},
             {"result", customer.end ? results[static_cast<int>(customer.end->result)] : "not done"}};
    if (customer.end) {
      one["seconds"] = customer.end->seconds;
      one["outputs"] = customer.end->outputs;
    }
    if (customer.end && !customer.end->why.empty()) {
      one["failed_task"] = customer.end->failed_task;
      one["why"] = customer.end->why;
    }
    all.push_back(std::move(one));
  }
  return all;
}

Json failures(const RunStory& story, const Evidence& evidence) {
  constexpr std::size_t lines = 20;
  Json all = Json::array();
  for (const auto& task : story.tasks)
    if (task.state == TaskState::failed)
      all.push_back({{"task", task.name},
                     {"kind", task.kind},
                     {"why", task.why},
                     {"log", task.log},
                     {"last_lines", evidence.last_lines(task.log, lines)}});
  return all;
}

Json warning_list(const RunStory& story) {
  Json all = Json::array();
  for (const auto& task : story.tasks)
    for (const auto& text : task.warnings) all.push_back({{"task", task.name}, {"text", text}});
  return all;
}

Json nodes(const RunStory& story, const Evidence& evidence) {
  Json all = Json::object();
  for (const auto& [node, t] : totals_by_node(story, evidence))
    all[node] = {{"run", t.ran},
                 {"run_s", t.ran_s},
                 {"reused", t.reused},
                 {"saved_s", t.saved_s},
                 {"failed", t.failed},
                 {"written_bytes", t.written_bytes},
                 {"kept_bytes", t.kept_bytes}};
  return all;
}

Json tasks(const RunStory& story) {
  Json all = Json::array();
  for (const auto& task : story.tasks)
    all.push_back({{"task", task.name},
                   {"step", task.step},
                   {"node", task.node},
                   {"customers", task.customers},
                   {"state", name_of(task.state)},
                   {"device", task.device},
                   {"seconds", task.seconds},
                   {"saved_s", task.saved_s},
                   {"reason", task.reason}});
  return all;
}

}  // namespace

Json report_json(const RunStory& story, const Evidence& evidence, double now_s) {
  const Verdict verdict = verdict_of(story, now_s);
  Json report{
      {"version", report_json_version}, {"run", story.opening.run}, {"state", story.end ? "ended" : "not ended"},
      {"headline", verdict.headline},   {"detail", verdict.detail}, {"seconds", story.seconds()}};
  if (story.end) report["exit_code"] = story.end->exit_code;
  report["customers"] = customers(story);
  report["failures"] = failures(story, evidence);
  report["warnings"] = warning_list(story);
  report["nodes"] = nodes(story, evidence);
  report["tasks"] = tasks(story);
  report["settings"] = {{"batch", story.opening.batch},     {"pipeline", story.opening.pipeline},
                        {"out", story.opening.out},         {"cache", story.opening.cache},
                        {"devices", story.opening.devices}, {"cores", story.opening.cores},
                        {"window", story.opening.window},   {"threads_per_device", story.opening.threads_per_device},
                        {"params", story.opening.params}};
  report["versions"] = story.opening.versions;
  return report;
}

}  // namespace atelier
