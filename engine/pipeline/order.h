// pipeline: an order in which each step stands after what feeds it.
#pragma once
#include <cstddef>
#include <vector>

namespace atelier {

struct StepOrder {
  std::vector<std::size_t> order;                // as given, but each after what feeds it; without those in cycles
  std::vector<std::vector<std::size_t>> cycles;  // each once, from its first member on, which is not repeated
};

// `feeds[i]` are the indices of what step i takes from.
StepOrder order_steps(const std::vector<std::vector<std::size_t>>& feeds);

}  // namespace atelier
