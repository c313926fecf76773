// probe: a small network that tells what a portrait shows: which value of each worded attribute, and who it is.
// This file: the attributes it is asked for, and what a rendered picture answers.
#pragma once
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "render/picture.h"

namespace atelier::probe {

struct Attribute {
  std::string_view name;                 // "hair_colour"
  std::vector<std::string_view> values;  // the words of render/attributes.h, in their order
  // The index of the value that the picture shows. Nothing where none can be seen: the colour of what is not there,
  // and all colours in an ink drawing.
  std::optional<std::size_t> (*shown)(const render::Picture& picture);
};

// All 14, in the order of the network's answers.
const std::vector<Attribute>& attributes();

// The attribute of that name; a Fault where there is none.
std::size_t attribute_named(std::string_view name);

// The number of values of all attributes together: V in the shapes of this room, while A is the number of attributes.
std::size_t value_count();

}  // namespace atelier::probe
