// report: what failed, for whom and why, with the log's last lines; and what was warned of.
#pragma once
#include <string>

#include "report/evidence.h"
#include "report/story.h"

namespace atelier {

std::string failures_section(const RunStory& story, const Evidence& evidence);
std::string warnings_section(const RunStory& story);

std::size_t failed_tasks(const RunStory& story);
std::size_t warnings(const RunStory& story);

}  // namespace atelier
