#include "report/frames.h"

#include <algorithm>

#include <fmt/format.h>

#include "report/base64.h"
#include "report/text.h"

namespace atelier {
namespace {

std::string data_address(const ReportPicture& picture) { return "data:image/png;base64," + base64(picture.png); }

std::string placeholder(const std::string& alt, const std::string& why) {
  return fmt::format(
      "<div class=\"gone\" role=\"img\" aria-label=\"{0}: {1}\"><span aria-hidden=\"true\">{1}</span></div>",
      escaped(alt), escaped(why));
}

}  // namespace

void Frames::next_group() {
  group_bytes_ = groups_left_ > 0 ? left_bytes_ / groups_left_ : 0;
  if (groups_left_ > 0) --groups_left_;
}

bool Frames::take(const ReportPicture& picture) {
  const std::uint64_t bytes = (picture.png.size() + 2) / 3 * 4;
  if (bytes > group_bytes_) {
    ++left_out_;
    return false;
  }
  group_bytes_ -= bytes;
  left_bytes_ -= bytes;
  return true;
}

std::string Frames::frame(const ReportPicture& picture, const std::string& alt) {
  if (picture.png.empty()) return placeholder(alt, picture.missing);
  if (defined_.contains(picture.digest))
    return fmt::format(
        "<svg class=\"picture\" role=\"img\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\"><title>{2}</title>"
        "<use href=\"#p-{3}\"/></svg>",
        picture.facts.width, picture.facts.height, escaped(alt), picture.digest.brief());
  if (picture.of_batch || !take(picture)) return placeholder(alt, "left out: the file would be too large");
  return fmt::format("<img class=\"picture\" alt=\"{}\" width=\"{}\" height=\"{}\" src=\"{}\">", escaped(alt),
                     picture.facts.width, picture.facts.height, data_address(picture));
}

std::string Frames::definitions(const Album& batch) {
  std::string all;
  for (const auto& pictures : batch.pictures())
    for (const auto& picture : pictures) {
      if (picture.png.empty() || defined_.contains(picture.digest) || !take(picture)) continue;
      defined_.insert(picture.digest);
      all += fmt::format("<image id=\"p-{}\" width=\"{}\" height=\"{}\" href=\"{}\"/>\n", picture.digest.brief(),
                         picture.facts.width, picture.facts.height, data_address(picture));
    }
  if (all.empty()) return {};
  return "<svg class=\"definitions\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\n" + all + "</defs></svg>\n";
}

}  // namespace atelier
