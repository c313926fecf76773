#include "training/caption_visit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>
#include <vector>

#include "base/random.h"

namespace atelier {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::vector<std::string> tags_of(std::string_view caption) {
  std::vector<std::string> tags;
  while (true) {
    const auto comma = caption.find(',');
    std::string_view tag = caption.substr(0, comma);
    const auto first = tag.find_first_not_of(kBlanks);
    if (first != std::string_view::npos)
      tags.emplace_back(tag.substr(first, tag.find_last_not_of(kBlanks) - first + 1));
    if (comma == std::string_view::npos) return tags;
    caption.remove_prefix(comma + 1);
  }
}

// Fisher and Yates, from the last place to the second that may move.
void shuffle(std::vector<std::string>& tags, std::size_t kept, RandomStream stream) {
  for (std::size_t last = tags.size(); last > kept + 1; --last)
    std::swap(tags[last - 1], tags[kept + static_cast<std::size_t>(stream.below(last - kept))]);
}

}  // namespace

std::string caption_of_visit(const DatasetItem& item, std::uint64_t visit, const CaptionOptions& options) {
  const auto stream = [&](std::string_view purpose) {
    return RandomStream(options.seed, purpose, item.photo).at(visit);
  };
  if (options.dropout > 0 && stream("caption dropout of a visit").uniform() < options.dropout) return {};
  if (!options.shuffle_tags) return item.caption;
  auto tags = tags_of(item.caption);
  shuffle(tags, static_cast<std::size_t>(options.keep_tokens), stream("tag order of a visit"));
  return fmt::format("{}", fmt::join(tags, ", "));
}

}  // namespace atelier
