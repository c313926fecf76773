#include "portrait/region_colours.h"

#include "portrait/caption_text.h"

namespace atelier {
namespace {

constexpr double least_share = 0.1, clearly_more = 1.5;  // of a colour
constexpr double clearly_brighter = 25;                  // of 255

Side where_more(double portrait, double background) {
  if (portrait >= least_share && portrait >= clearly_more * background) return Side::portrait;
  if (background >= least_share && background >= clearly_more * portrait) return Side::background;
  return Side::unknown;
}

}  // namespace

Side side_by_pixels(std::string_view tag, const PartColours& colours) {
  for (std::size_t i = 0; i < colour_names.size(); ++i)
    if (holds_words(tag, colour_names[i])) return where_more(colours.portrait.shares[i], colours.background.shares[i]);
  const double difference = colours.portrait.brightness - colours.background.brightness;
  const bool bright = holds_words(tag, "bright"), dark = holds_words(tag, "dark");
  if (bright == dark || (difference > -clearly_brighter && difference < clearly_brighter)) return Side::unknown;
  return (difference > 0) == bright ? Side::portrait : Side::background;
}

}  // namespace atelier
