// A run as its record tells it: three customers; anna is done, ben failed, cleo is under way; with a store that holds
// what anna's tasks showed.
#pragma once
#include <string>
#include <vector>

#include "report/page.h"
#include "report/write_report.h"
#include "run/events.h"
#include "support/memory_files.h"
#include "support/memory_store.h"

namespace atelier {

class ToldRun {
 public:
  static constexpr double began_s = 1'700'000'000;

  ToldRun() {
    tell(0, RunStarted{.run = "r-1",
                       .batch = "/studio/tonight.yaml",
                       .pipeline = "/studio/portrait.yaml",
                       .out = "/out",
                       .customers = 3,
                       .devices = {"cpu:0"},
                       .cores = 2,
                       .window = 8,
                       .threads_per_device = 1,
                       .cache = "/cache",
                       .customer_ids = {"anna", "ben", "cleo"},
                       .params = {{"steps", "80"}},
                       .versions = {{"atelier", "1.2.3"}}});
    tell(0, WaveStarted{.wave = 1, .tasks = 5});
  }

  template <class T>
  void tell(double after_s, T what) {
    record += to_json(Event{began_s + after_s, std::move(what)}).dump() + "\n";
  }
  void plan(std::uint32_t id, const std::string& step, const std::string& node, std::vector<std::string> customers) {
    const std::string name = customers.empty() ? step : step + "/" + customers.front();
    tell(0, TaskPlanned{{id, 1, name}, step, node, std::move(customers)});
  }
  void start(double after_s, std::uint32_t id, const std::string& name, const std::string& node,
             const std::string& device) {
    tell(after_s,
         TaskStarted{.task = {id, 1, name}, .node = node, .device = device, .reason = "new", .key = sha256(name)});
  }
  void finish(double after_s, std::uint32_t id, const std::string& name, double seconds) {
    tell(after_s, TaskFinished{.task = {id, 1, name},
                               .key = sha256(name),
                               .seconds = seconds,
                               .outputs = {{"out", {sha256("out"), 1'500'000}}},
                               .customers = 1});
  }
  // A preview that is told, and kept with what the task showed.
  void show(double after_s, std::uint32_t id, const std::string& task, const std::string& name,
            const std::string& png) {
    tell(after_s, TaskPreview{{id, 1, task}, name, sha256(png), sha256(task)});
    Shown shown = get_shown(store, sha256(task)).value_or(Shown{});
    const auto bytes = std::as_bytes(std::span(png));
    shown.show({name, sha256(png), {bytes.begin(), bytes.end()}});
    (void)put_shown(store, sha256(task), shown.to_artifact());
  }

  RunReport read() {
    files.put("/out/runs/r-1/events.jsonl", record);
    auto report = read_run(files, "/out/runs/r-1");
    if (!report) throw Fault(report.error().message);
    return std::move(*report);
  }
  std::string page(PageOptions options = {.now_s = began_s + 100}, Store* other_store = nullptr,
                   bool no_store = false) {
    const RunReport report = read();
    std::string html;
    write_page(report.story, report.facts,
               Evidence(no_store      ? nullptr
                        : other_store ? other_store
                                      : &store,
                        files, "/out/runs/r-1"),
               options, [&](std::string_view text) { html += text; });
    return html;
  }

  std::string record;
  MemoryFiles files;
  MemoryStore store;
};

// The beginning of a PNG of 4 x 2 pixels, with texts as nodes write them.
inline std::string small_png(const std::string& title = "", const std::string& description = "") {
  const auto chunk = [](const std::string& type, const std::string& data) {
    std::string length;
    for (int shift = 24; shift >= 0; shift -= 8) length += static_cast<char>(data.size() >> shift & 0xFFU);
    return length + type + data + std::string(4, '\0');
  };
  std::string png = "\x89PNG\r\n\x1a\n" + chunk("IHDR", std::string("\0\0\0\4\0\0\0\2\x8\2\0\0\0", 13));
  if (!title.empty()) png += chunk("tEXt", "Title" + std::string(1, '\0') + title);
  if (!description.empty()) png += chunk("iTXt", "Description" + std::string(5, '\0') + description);
  return png + chunk("IEND", "");
}

}  // namespace atelier
