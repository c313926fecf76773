// report: what ran where and when, as a picture and as a table.
#pragma once
#include <string>

#include "report/story.h"

namespace atelier {

std::string timeline_section(const RunStory& story);

}  // namespace atelier
