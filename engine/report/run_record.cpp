#include "report/run_record.h"

#include <fmt/format.h>

#include "report/event_fields.h"

namespace atelier {
namespace {

Expected<RecordFacts> check_opening(std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || EventFields(json).text("event") != "run_started")
    return failure("it does not begin with the start of a run");
  RecordFacts facts;
  facts.version = static_cast<int>(EventFields(json).whole("version"));
  if (facts.version > events_version)
    return failure(fmt::format("it is of version {} of the events, this program knows up to {}; use a newer one",
                               facts.version, events_version));
  return facts;
}

}  // namespace

Expected<RecordFacts> read_record(std::string_view text, const std::function<void(const Event&)>& see) {
  auto facts = check_opening(text.substr(0, text.find('\n')));
  if (!facts) return facts;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object()) {
      if (const auto event = event_of(json)) see(*event);
    } else if (end == std::string_view::npos) {
      facts->torn = true;
    } else {
      ++facts->unread;
    }
  }
  return facts;
}

}  // namespace atelier
