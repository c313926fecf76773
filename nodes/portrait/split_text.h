// portrait: one caption split into what it says of the portrait and what of the background.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "portrait/word_rules.h"

namespace atelier {

struct SplitCaption {
  std::string portrait, background;  // parts in their order, joined with ", "
};

// The caption's parts: what stands between commas, and of parts longer than a tag what stands between connectors.
std::vector<std::string> chunks_of(std::string_view caption, const WordRules& rules);

// Where a part belongs. The longest phrase in it decides, of equally long ones the last: an English noun stands at the
// end of what describes it.
Side side_of(std::string_view chunk, const WordRules& rules, Region region);

// The caption's parts, each on the side that `decide` says; it says no Side::unknown.
using Decide = std::function<Side(std::string_view chunk)>;
SplitCaption split_caption(std::string_view caption, const WordRules& rules, const Decide& decide);

}  // namespace atelier
