// render: random values of attributes.
#pragma once
#include <initializer_list>

#include "base/random.h"
#include "render/attributes.h"

namespace atelier::render {

inline float between(RandomStream& stream, float low, float high) {
  return low + (high - low) * static_cast<float>(stream.uniform());
}
inline bool chance(RandomStream& stream, double probability) { return stream.uniform() < probability; }

// Each value as likely as its weight says; a value without a weight never comes.
template <class E>
E weighted(RandomStream& stream, std::initializer_list<int> weights) {
  int sum = 0;
  for (const int w : weights) sum += w;
  auto left = static_cast<int>(stream.below(static_cast<std::uint64_t>(sum)));
  int value = 0;
  for (const int w : weights) {
    if (left < w) break;
    left -= w;
    ++value;
  }
  return static_cast<E>(value);
}

template <class E>
E any(RandomStream& stream) {
  return static_cast<E>(stream.below(Words<E>::list.size()));
}

}  // namespace atelier::render
