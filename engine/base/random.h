// base: random streams. Counter-based (Philox 4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// 2011) and keyed by (seed, purpose, subject), so that a draw depends on what it is for and on nothing else: not on
// what ran before, in which order, on how many devices.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/digest.h"

namespace atelier {

class RandomStream {
 public:
  // `subject` says what the draws are for: an Encoder's digest, a photo's digest, …
  RandomStream(std::int64_t seed, std::string_view purpose, const Digest& subject);
  // The n-th sub-stream, as for a photo's n-th visit.
  RandomStream at(std::uint64_t n) const;

  std::uint32_t bits();                      // 32 uniform bits
  double uniform();                          // [0, 1), 53 bits
  std::uint64_t below(std::uint64_t bound);  // 0 … bound-1 without bias; bound > 0
  void fill_uniform(std::span<float> out, float low, float high);
  void fill_normal(std::span<float> out);  // mean 0, deviation 1 (Box-Muller in double, rounded once)

 private:
  RandomStream(std::array<std::uint32_t, 2> key, std::array<std::uint32_t, 2> lane) : key_(key), lane_(lane) {}
  void refill();

  std::array<std::uint32_t, 2> key_{};   // from (seed, purpose, subject)
  std::array<std::uint32_t, 2> lane_{};  // which sub-stream
  std::uint64_t counter_ = 0;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace atelier
