// report: with what a run was made: its files, devices, params and versions.
#pragma once
#include <string>

#include "report/story.h"

namespace atelier {

std::string settings_section(const RunStory& story);

}  // namespace atelier
