// report: what ran on each device, in as many rows as there were tasks side by side.
#pragma once
#include <string>
#include <vector>

#include "report/story.h"

namespace atelier {

struct Lane {
  std::string device;
  std::vector<std::vector<const Span*>> rows;  // in each, one after the other
  double busy_s = 0;                           // any of its tasks ran
};

// The devices of the run first, in their order, then "cpu". Pointers are into the story.
std::vector<Lane> lanes_of(const RunStory& story);

}  // namespace atelier
