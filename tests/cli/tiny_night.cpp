#include "tiny_night.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace atelier::test {
namespace fs = std::filesystem;
namespace {

std::vector<nlohmann::json> lines_of(const fs::path& file) {
  std::vector<nlohmann::json> events;
  std::istringstream stream(read_file(file));
  for (std::string line; std::getline(stream, line);) {
    auto event = nlohmann::json::parse(line, nullptr, false);
    if (!event.is_discarded()) events.push_back(std::move(event));
  }
  return events;
}

}  // namespace

TinyNight::TinyNight(const std::string& example, const std::string& customers) {
  const fs::path source = fs::path(ATELIER_SOURCE_DIR) / "examples" / example;
  for (const char* name : {"customers", "random", "style"})
    fs::copy(source / name, folder() / name, fs::copy_options::recursive);
  const auto made =
      atelier({"model", "init", "--arch", "sd1", "--width", "32", "--seed", "7", (folder() / "base").string()});
  if (made.exit_code != 0) throw std::runtime_error("atelier model init: " + made.err);
  write_batch(customers, example == "tiny" ? kTinyParams : "  size: 128\n  rank: 8\n  steps: 60\n");
}

void TinyNight::write_batch(const std::string& customers, const std::string& params) {
  std::ofstream(folder() / "tonight.yaml") << "atelier: 1\npipeline: " << ATELIER_SOURCE_DIR
                                           << "/pipelines/portrait.yaml\ninputs:\n  base: base\n  random: random\n"
                                              "  style: style\nparams:\n"
                                           << params << "customers: " << customers << "\n";
}

std::vector<std::string> TinyNight::arguments(const std::string& command, const std::vector<std::string>& more,
                                              const std::string& out, const std::string& cache) const {
  std::vector<std::string> all{command,   (folder() / "tonight.yaml").string(), "--out", (folder() / out).string(),
                               "--cache", (folder() / cache).string()};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Finished TinyNight::run(const std::vector<std::string>& more, const std::string& out, const std::string& cache) const {
  return atelier(arguments("run", more, out, cache));
}

std::vector<fs::path> TinyNight::runs(const std::string& out) const {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder() / out / "runs"))
    if (fs::exists(entry.path() / "events.jsonl")) found.push_back(entry.path());
  std::ranges::sort(found, {}, [](const fs::path& run) { return fs::last_write_time(run / "events.jsonl"); });
  return found;
}

std::vector<nlohmann::json> TinyNight::events(const std::string& out) const {
  std::vector<nlohmann::json> all;
  for (const auto& run : runs(out))
    for (auto& event : lines_of(run / "events.jsonl")) all.push_back(std::move(event));
  return all;
}

std::vector<nlohmann::json> TinyNight::events_of_last_run(const std::string& out) const {
  return lines_of(runs(out).back() / "events.jsonl");
}

std::vector<std::string> finished_twice(const std::vector<nlohmann::json>& events) {
  std::multiset<std::string> keys;
  for (const auto& event : events)
    if (event["event"] == "task_finished")
      keys.insert(event["key"].get<std::string>() + " " + event["task"].get<std::string>());
  std::vector<std::string> twice;
  for (auto key = keys.begin(); key != keys.end(); key = keys.upper_bound(*key))
    if (keys.count(*key) > 1) twice.push_back(*key);
  return twice;
}

std::multiset<std::string> tasks_of(const std::vector<nlohmann::json>& events, const std::string& kind) {
  std::multiset<std::string> names;
  for (const auto& event : events)
    if (event["event"] == kind) names.insert(event["task"].get<std::string>());
  return names;
}

}  // namespace atelier::test
