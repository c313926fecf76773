// probe: who is portrayed, as numbers: a Person's lengths and shares, each with mean 0 and deviation 1 over all people.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "render/person.h"

namespace atelier::probe {

// The names of the numbers, as visit_person has them; their count is I in the shapes of this room.
const std::vector<std::string>& identity_names();

// [I]
std::vector<float> identity_of(const render::Person& person);

// The root of the mean squared difference: 0 for the same, about 1.4 for the parameters of two strangers. Both of one
// length.
double identity_distance(std::span<const float> one, std::span<const float> other);

}  // namespace atelier::probe
