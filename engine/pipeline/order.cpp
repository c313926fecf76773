#include "pipeline/order.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace atelier {
namespace {

using Edges = std::vector<std::vector<std::size_t>>;

// Follows the first unsettled feed from `start` until a step comes again: what feeds a step in a cycle, or behind one,
// and is not settled leads into a cycle.
std::vector<std::size_t> follow(const Edges& feeds, const std::vector<bool>& settled, std::size_t start) {
  std::vector<std::size_t> path;
  std::size_t at = start;
  while (std::ranges::find(path, at) == path.end()) {
    path.push_back(at);
    const auto next = std::ranges::find_if(feeds[at], [&](std::size_t i) { return !settled[i]; });
    if (next == feeds[at].end()) return {};
    at = *next;
  }
  path.erase(path.begin(), std::ranges::find(path, at));
  // From feeder to fed, beginning with the step that stands first.
  std::ranges::reverse(path);
  std::ranges::rotate(path, std::ranges::min_element(path));
  return path;
}

}  // namespace

StepOrder order_steps(const Edges& feeds) {
  StepOrder result;
  const std::size_t count = feeds.size();
  Edges fed(count);
  std::vector<std::size_t> waits_for(count);
  for (std::size_t i = 0; i < count; ++i) {
    waits_for[i] = feeds[i].size();
    for (const std::size_t from : feeds[i]) fed[from].push_back(i);
  }
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < count; ++i)
    if (waits_for[i] == 0) ready.push(i);
  std::vector<bool> settled(count);
  const auto settle_ready = [&](bool keep) {
    while (!ready.empty()) {
      const std::size_t step = ready.top();
      ready.pop();
      if (settled[step]) continue;
      settled[step] = true;
      if (keep) result.order.push_back(step);
      for (const std::size_t next : fed[step])
        if (--waits_for[next] == 0) ready.push(next);
    }
  };
  settle_ready(true);
  for (std::size_t i = 0; i < count; ++i) {
    if (settled[i]) continue;
    auto cycle = follow(feeds, settled, i);
    // Taking the cycle out may free what stands behind it; another cycle stays.
    for (const std::size_t step : cycle) ready.push(step);
    result.cycles.push_back(std::move(cycle));
    settle_ready(false);
  }
  return result;
}

}  // namespace atelier
