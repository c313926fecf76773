#include "base/random.h"

#include <cmath>
#include <cstring>
#include <numbers>

namespace atelier {
namespace {

// Constants of Philox 4x32 (Salmon et al. 2011, table 2 and the reference implementation).
constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{kMultiplier0} * c[0], p1 = std::uint64_t{kMultiplier1} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    k[0] += kWeyl0;
    k[1] += kWeyl1;
  }
  return c;
}

std::array<std::uint32_t, 4> words(const Digest& d) {
  std::array<std::uint32_t, 4> w{};
  std::memcpy(w.data(), d.bytes.data(), sizeof w);
  return w;
}

}  // namespace

RandomStream::RandomStream(std::int64_t seed, std::string_view purpose, const Digest& subject) {
  const auto w = words(Encoder().text("random stream").integer(seed).text(purpose).digest(subject).finish());
  key_ = {w[0], w[1]};
  lane_ = {w[2], w[3]};
}

RandomStream RandomStream::at(std::uint64_t n) const {
  const auto w =
      words(Encoder().text("lane").integer(lane_[0]).integer(lane_[1]).integer(static_cast<std::int64_t>(n)).finish());
  return RandomStream(key_, {w[0], w[1]});
}

void RandomStream::refill() {
  block_ = philox(
      {static_cast<std::uint32_t>(counter_), static_cast<std::uint32_t>(counter_ >> 32), lane_[0], lane_[1]}, key_);
  ++counter_;
  used_ = 0;
}

std::uint32_t RandomStream::bits() {
  if (used_ == 4) refill();
  return block_[static_cast<std::size_t>(used_++)];
}

double RandomStream::uniform() {
  const std::uint64_t high = bits() >> 5, low = bits() >> 6;  // 27 + 26 bits
  return static_cast<double>(high << 26 | low) * 0x1p-53;
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  const std::uint64_t reject_from = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const std::uint64_t high = bits();
    const std::uint64_t draw = high << 32 | bits();
    if (draw < reject_from) return draw % bound;
  }
}

void RandomStream::fill_uniform(std::span<float> out, float low, float high) {
  for (float& x : out) x = static_cast<float>(low + (static_cast<double>(high) - low) * uniform());
}

void RandomStream::fill_normal(std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform())), angle = 2.0 * std::numbers::pi * uniform();
    out[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < out.size()) out[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

}  // namespace atelier
