// base: digests. Identity is SHA-256 (photos come from strangers); XXH3-128 only checks that stored bytes are intact.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace atelier {

// A SHA-256. Ordered and hashable, so that it serves as a key of maps.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  std::string hex() const;                                       // 64 lower-case hexadecimal digits
  std::string brief() const { return hex().substr(0, 12); }      // for people
  static std::optional<Digest> from_hex(std::string_view text);  // empty unless 64 hexadecimal digits
  auto operator<=>(const Digest&) const = default;
};

// SHA-256 over a stream of bytes. `finish` may be called once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest sha256(std::string_view text);
Digest sha256(std::span<const std::byte> bytes);

// A tagged, length-delimited encoding: no two different sequences of calls give the same bytes. Integers are 64 bits
// little-endian, floats their IEEE bits. Plan keys, artifact digests and random streams are digests over it.
class Encoder {
 public:
  Encoder& text(std::string_view value);
  Encoder& integer(std::int64_t value);
  Encoder& number(double value);
  Encoder& boolean(bool value);
  Encoder& absent();
  Encoder& digest(const Digest& value);
  Encoder& list(std::size_t length);  // the next `length` values belong to it
  Encoder& bytes(std::span<const std::byte> value);
  Digest finish();

 private:
  void tag(char kind, std::uint64_t length);
  Sha256 hash_;
};

struct Checksum {
  std::uint64_t high = 0, low = 0;
  auto operator<=>(const Checksum&) const = default;
};
Checksum xxh3_128(std::span<const std::byte> bytes) noexcept;

// XXH3-128 over a stream of bytes: the same value as `xxh3_128` of all of them in one piece.
class ChecksumStream {
 public:
  ChecksumStream();
  ~ChecksumStream();
  ChecksumStream(ChecksumStream&&) noexcept;
  ChecksumStream& operator=(ChecksumStream&&) noexcept;

  void update(std::span<const std::byte> bytes);
  Checksum finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atelier

template <>
struct std::hash<atelier::Digest> {
  std::size_t operator()(const atelier::Digest& d) const noexcept;
};
