// report: the page: one HTML document that needs nothing beside itself, no script and no network.
#pragma once
#include <cstdint>
#include <functional>
#include <string_view>

#include "report/evidence.h"
#include "report/run_record.h"
#include "report/story.h"

namespace atelier {

struct PageOptions {
  double now_s = 0;                                            // since the epoch: when it is made
  std::uint64_t most_picture_bytes = std::uint64_t{64} << 20;  // of all pictures, as they stand in the file
  std::string link_out{"../../"};                              // from the page to the out folder
};

// Gives the page to `write`, piece by piece.
void write_page(const RunStory& story, const RecordFacts& facts, const Evidence& evidence, const PageOptions& options,
                const std::function<void(std::string_view)>& write);

}  // namespace atelier
