#include "report/trace.h"

#include <fmt/format.h>

#include "report/lanes.h"

namespace atelier {
namespace {

using Json = nlohmann::ordered_json;
constexpr double us_per_s = 1e6;

}  // namespace

// The Trace Event Format: "X" is a complete event, "M" names a thread; times in microseconds.
Json trace_json(const RunStory& story) {
  Json events = Json::array();
  int thread = 0;
  for (const Lane& lane : lanes_of(story))
    for (std::size_t row = 0; row < lane.rows.size(); ++row) {
      ++thread;
      const std::string name = lane.rows.size() == 1 ? lane.device : fmt::format("{} {}", lane.device, row + 1);
      events.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", thread}, {"args", {{"name", name}}}});
      for (const Span* const span : lane.rows[row]) {
        const TaskStory& task = story.tasks[span->task];
        events.push_back({{"name", task.name},
                          {"cat", task.is_output() ? "output" : task.node},
                          {"ph", "X"},
                          {"ts", span->from_s * us_per_s},
                          {"dur", (span->to_s - span->from_s) * us_per_s},
                          {"pid", 1},
                          {"tid", thread},
                          {"args", {{"state", name_of(span->ended)}, {"reason", task.reason}}}});
      }
    }
  return {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
}

}  // namespace atelier
