#include "base/digest.h"

#include <openssl/evp.h>
#include <xxhash.h>
#include <bit>
#include <cstring>
#include <new>
#include <stdexcept>

#include "base/error.h"

namespace atelier {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string Digest::hex() const {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const auto b : bytes) {
    text += kHexDigits[b >> 4];
    text += kHexDigits[b & 15];
  }
  return text;
}

std::optional<Digest> Digest::from_hex(std::string_view text) {
  Digest d;
  if (text.size() != 2 * d.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < d.bytes.size(); ++i) {
    const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    d.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return d;
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1)
    throw Fault("OpenSSL offers no SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) { EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

void Sha256::update(std::string_view text) { EVP_DigestUpdate(state_->context, text.data(), text.size()); }

Digest Sha256::finish() {
  Digest d;
  EVP_DigestFinal_ex(state_->context, d.bytes.data(), nullptr);
  return d;
}

Digest sha256(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.finish();
}

Digest sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

void Encoder::tag(char kind, std::uint64_t length) {
  std::array<std::byte, 9> head{static_cast<std::byte>(kind)};
  for (std::size_t i = 0; i < 8; ++i) head[i + 1] = static_cast<std::byte>(length >> (8 * i) & 0xff);
  hash_.update(head);
}

Encoder& Encoder::text(std::string_view value) {
  tag('t', value.size());
  hash_.update(value);
  return *this;
}
Encoder& Encoder::integer(std::int64_t value) {
  tag('i', static_cast<std::uint64_t>(value));
  return *this;
}
Encoder& Encoder::number(double value) {
  tag('f', std::bit_cast<std::uint64_t>(value == 0.0 ? 0.0 : value));  // -0.0 and 0.0 are one value
  return *this;
}
Encoder& Encoder::boolean(bool value) {
  tag('b', value ? 1 : 0);
  return *this;
}
Encoder& Encoder::absent() {
  tag('-', 0);
  return *this;
}
Encoder& Encoder::digest(const Digest& value) {
  tag('d', value.bytes.size());
  hash_.update(std::as_bytes(std::span(value.bytes)));
  return *this;
}
Encoder& Encoder::list(std::size_t length) {
  tag('l', length);
  return *this;
}
Encoder& Encoder::bytes(std::span<const std::byte> value) {
  tag('x', value.size());
  hash_.update(value);
  return *this;
}
Digest Encoder::finish() { return hash_.finish(); }

Checksum xxh3_128(std::span<const std::byte> bytes) noexcept {
  const XXH128_hash_t h = XXH3_128bits(bytes.data(), bytes.size());
  return {h.high64, h.low64};
}

struct ChecksumStream::State {
  XXH3_state_t* stream = XXH3_createState();
  ~State() { XXH3_freeState(stream); }
};

ChecksumStream::ChecksumStream() : state_(std::make_unique<State>()) {
  if (!state_->stream) throw std::bad_alloc();
  XXH3_128bits_reset(state_->stream);
}
ChecksumStream::~ChecksumStream() = default;
ChecksumStream::ChecksumStream(ChecksumStream&&) noexcept = default;
ChecksumStream& ChecksumStream::operator=(ChecksumStream&&) noexcept = default;

void ChecksumStream::update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_->stream, bytes.data(), bytes.size());
}

Checksum ChecksumStream::finish() const {
  const XXH128_hash_t h = XXH3_128bits_digest(state_->stream);
  return {h.high64, h.low64};
}

}  // namespace atelier

std::size_t std::hash<atelier::Digest>::operator()(const atelier::Digest& d) const noexcept {
  std::size_t h = 0;  // the digest is uniform already: its first bytes serve
  std::memcpy(&h, d.bytes.data(), sizeof h);
  return h;
}
