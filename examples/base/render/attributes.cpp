#include "render/attributes.h"

namespace atelier::render {

std::string text_of(const MarkedObject& object) {
  return std::string(word_of(object.colour)) + " " + std::string(word_of(object.kind));
}

std::optional<MarkedObject> object_named(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto colour = value_of<Colour>(text.substr(0, space));
  const auto kind = value_of<ObjectKind>(text.substr(space + 1));
  if (!colour || !kind || std::ranges::find(object_colours, *colour) == object_colours.end()) return std::nullopt;
  return MarkedObject{*kind, *colour};
}

}  // namespace atelier::render
