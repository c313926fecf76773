// report: the story for programs.
#pragma once
#include <nlohmann/json.hpp>

#include "report/story.h"
#include "report/totals.h"

namespace atelier {

inline constexpr int report_json_version = 1;

// {"version", "run", "state", "headline", "seconds", "customers": [...], "failures": [...], "warnings": [...], "nodes":
// {...}, "settings": {...}, "versions": {...}}
nlohmann::ordered_json report_json(const RunStory& story, const Evidence& evidence, double now_s);

}  // namespace atelier
