// report: what was run, what was reused and the time that saved, what was written to the cache: by node and in all.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "report/evidence.h"
#include "report/story.h"

namespace atelier {

struct Totals {
  std::size_t ran = 0, reused = 0, failed = 0, other = 0;  // tasks; other: skipped, stopped, waiting
  double ran_s = 0, saved_s = 0;
  std::uint64_t written_bytes = 0, kept_bytes = 0;  // of results; kept: still in the cache
  Totals& operator+=(const Totals& more);
};

// Outputs stand under "output".
std::map<std::string, Totals> totals_by_node(const RunStory& story, const Evidence& evidence);
// Of tasks; outputs, which have no node, are left out.
Totals sum_of(const std::map<std::string, Totals>& by_node);

std::string reuse_section(const std::map<std::string, Totals>& by_node);
std::string cache_section(const std::map<std::string, Totals>& by_node, const RunStory& story, bool has_store);

}  // namespace atelier
