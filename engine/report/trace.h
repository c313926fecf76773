// report: the timeline as a Chrome trace, for chrome://tracing, Perfetto or speedscope.
#pragma once
#include <nlohmann/json.hpp>

#include "report/story.h"

namespace atelier {

nlohmann::ordered_json trace_json(const RunStory& story);

}  // namespace atelier
