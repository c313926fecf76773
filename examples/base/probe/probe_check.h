// probe: how often a network is right about pictures of which it is known what they show.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "probe/probe_net.h"
#include "probe/rendered_set.h"

namespace atelier::probe {

struct AttributeCheck {
  std::string_view attribute;
  std::int64_t told = 0;   // pictures that show it
  std::int64_t right = 0;  // of these
  double share_right() const { return told == 0 ? 0 : static_cast<double>(right) / static_cast<double>(told); }
};

struct Check {
  std::vector<AttributeCheck> attributes;
  double identity_error = 0;      // the root of the mean squared error of the numbers; 1 for guessing the mean
  double strangers_distance = 0;  // the mean identity_distance between the readings of one picture and the next
};

enum class Condition { as_rendered, augmented };  // augmented: made worse as in the training

// At least two pictures. The seed is that of the augmentation.
Check check_probe(const ProbeNet& net, const RenderedSet& set, Condition condition, std::int64_t seed);

// {"accuracy": {"scene": 0.98, …}, "told": {"scene": 500, …}, "identity_error": …, …}
nlohmann::json to_json(const Check& check);

}  // namespace atelier::probe
