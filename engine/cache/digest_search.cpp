#include "cache/digest_search.h"

#include <cstring>

namespace atelier {
namespace {

constexpr std::size_t kDigestBytes = sizeof(Digest::bytes), kDigits = 2 * kDigestBytes;

std::uint64_t beginning_of(const void* bytes) {
  std::uint64_t beginning;
  std::memcpy(&beginning, bytes, sizeof(beginning));
  return beginning;
}

bool is_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

DigestSearch::DigestSearch(const std::unordered_set<Digest>& digests) {
  for (const auto& digest : digests) by_beginning_[beginning_of(digest.bytes.data())].push_back(digest);
}

std::set<Digest> DigestSearch::found_in(std::span<const std::byte> bytes) const {
  std::set<Digest> found;
  look_for_bytes(bytes, found);
  look_for_text(bytes, found);
  return found;
}

void DigestSearch::look_for_bytes(std::span<const std::byte> bytes, std::set<Digest>& found) const {
  for (std::size_t at = 0; at + kDigestBytes <= bytes.size(); ++at) {
    const auto candidates = by_beginning_.find(beginning_of(bytes.data() + at));
    if (candidates == by_beginning_.end()) continue;
    for (const auto& digest : candidates->second)
      if (std::memcmp(digest.bytes.data(), bytes.data() + at, kDigestBytes) == 0) found.insert(digest);
  }
}

void DigestSearch::look_for_text(std::span<const std::byte> bytes, std::set<Digest>& found) const {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::size_t digits = 0;  // in a row, up to here
  for (std::size_t at = 0; at < text.size(); ++at) {
    digits = is_digit(text[at]) ? digits + 1 : 0;
    if (digits < kDigits) continue;
    const auto digest = Digest::from_hex(text.substr(at + 1 - kDigits, kDigits));
    const auto candidates = digest ? by_beginning_.find(beginning_of(digest->bytes.data())) : by_beginning_.end();
    if (candidates == by_beginning_.end()) continue;
    for (const auto& one : candidates->second)
      if (one == *digest) found.insert(one);
  }
}

}  // namespace atelier
