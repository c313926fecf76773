#include "probe/probe_targets.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace atelier::probe {
namespace {

using render::Picture;
using Shown = std::optional<std::size_t>;

template <class E>
std::vector<std::string_view> words() {
  return {render::Words<E>::list.begin(), render::Words<E>::list.end()};
}

template <class E>
std::size_t index_of(E value) {
  return static_cast<std::size_t>(value);
}

// Something's absence is a value too.
std::vector<std::string_view> none_or_object() {
  auto values = words<render::ObjectKind>();
  values.insert(values.begin(), "none");
  return values;
}

std::vector<std::string_view> colours_of_objects() {
  std::vector<std::string_view> values;
  for (const auto colour : render::object_colours) values.push_back(render::word_of(colour));
  return values;
}

bool in_colour(const Picture& p) { return p.shot.style != render::Style::ink; }

Shown hair_colour(const Picture& p) {
  if (!in_colour(p) || p.person.hair_style == render::HairStyle::bald) return std::nullopt;
  return index_of(p.person.hair_colour);
}

Shown object_kind(const Picture& p) { return p.shot.object ? 1 + index_of(p.shot.object->kind) : 0; }

Shown object_colour(const Picture& p) {
  if (!in_colour(p) || !p.shot.object) return std::nullopt;
  const auto found = std::ranges::find(render::object_colours, p.shot.object->colour);
  return static_cast<std::size_t>(found - render::object_colours.begin());
}

std::vector<Attribute> make_attributes() {
  return {
      {"presentation", words<render::Presentation>(),
       [](const Picture& p) -> Shown { return index_of(p.person.presentation); }},
      {"skin", words<render::Skin>(),
       [](const Picture& p) { return in_colour(p) ? Shown(index_of(p.person.skin)) : std::nullopt; }},
      {"hair_colour", words<render::HairColour>(), hair_colour},
      {"hair_style", words<render::HairStyle>(),
       [](const Picture& p) -> Shown { return index_of(p.person.hair_style); }},
      {"beard", words<render::Beard>(), [](const Picture& p) -> Shown { return index_of(p.person.beard); }},
      {"glasses", words<render::Glasses>(), [](const Picture& p) -> Shown { return index_of(p.person.glasses); }},
      {"expression", words<render::Expression>(),
       [](const Picture& p) -> Shown { return index_of(p.shot.expression); }},
      {"garment", words<render::Garment>(), [](const Picture& p) -> Shown { return index_of(p.shot.garment); }},
      {"garment_colour", words<render::Colour>(),
       [](const Picture& p) { return in_colour(p) ? Shown(index_of(p.shot.garment_colour)) : std::nullopt; }},
      {"scene", words<render::SceneKind>(), [](const Picture& p) -> Shown { return index_of(p.shot.scene); }},
      {"object", none_or_object(), object_kind},
      {"object_colour", colours_of_objects(), object_colour},
      {"style", words<render::Style>(), [](const Picture& p) -> Shown { return index_of(p.shot.style); }},
      {"facing",
       {"viewer", "left", "right"},
       [](const Picture& p) -> Shown { return index_of(render::facing_of(p.shot)); }},
  };
}

}  // namespace

const std::vector<Attribute>& attributes() {
  static const std::vector<Attribute> all = make_attributes();
  return all;
}

std::size_t attribute_named(std::string_view name) {
  const auto found = std::ranges::find(attributes(), name, &Attribute::name);
  if (found == attributes().end()) throw Fault(fmt::format("the probe knows no attribute '{}'", name));
  return static_cast<std::size_t>(found - attributes().begin());
}

std::size_t value_count() {
  std::size_t count = 0;
  for (const auto& attribute : attributes()) count += attribute.values.size();
  return count;
}

}  // namespace atelier::probe
