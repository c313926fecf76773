#include "report/lanes.h"

#include <algorithm>

namespace atelier {
namespace {

Lane& lane_of(std::vector<Lane>& lanes, const std::string& device) {
  const auto found = std::ranges::find(lanes, device, &Lane::device);
  if (found != lanes.end()) return *found;
  return lanes.emplace_back(Lane{device, {}, 0});
}

}  // namespace

std::vector<Lane> lanes_of(const RunStory& story) {
  std::vector<Lane> lanes;
  for (const auto& device : story.opening.devices) lane_of(lanes, device);
  std::map<std::string, double> busy_until;
  for (const Span& span : story.spans) {
    Lane& lane = lane_of(lanes, span.device);
    const auto free = std::ranges::find_if(lane.rows, [&](const auto& row) { return row.back()->to_s <= span.from_s; });
    if (free != lane.rows.end())
      free->push_back(&span);
    else
      lane.rows.push_back({&span});
    double& until = busy_until[span.device];
    lane.busy_s += std::max(0.0, span.to_s - std::max(until, span.from_s));
    until = std::max(until, span.to_s);
  }
  return lanes;
}

}  // namespace atelier
