// render: pictures as the sets ask for them, by number: who, how, and what is said of it.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "render/person.h"
#include "render/shot.h"

namespace atelier::render {

struct Picture {
  Person person;
  Shot shot;
  std::string caption;
};

// Picture `index` of the set of that seed: it depends on these two alone. A given style takes the drawn one's place and
// changes nothing else but the caption.
Picture random_picture(std::int64_t seed, std::uint64_t index, std::optional<Style> style = std::nullopt);
Picture customer_picture(std::int64_t number, std::uint64_t index, const CustomerPlace& place);

// All parameters by name, values as words and numbers; an object as "red balloon" or null.
nlohmann::json to_json(const Person& person);
nlohmann::json to_json(const Shot& shot);

}  // namespace atelier::render
