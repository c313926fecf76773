// cache: whether digests stand anywhere in some bytes, as 32 bytes or as hexadecimal text: how a purge shows that none
// is left.
#pragma once
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/digest.h"

namespace atelier {

class DigestSearch {
 public:
  explicit DigestSearch(const std::unordered_set<Digest>& digests);

  // Those that are there, in whatever alignment.
  std::set<Digest> found_in(std::span<const std::byte> bytes) const;

 private:
  void look_for_bytes(std::span<const std::byte> bytes, std::set<Digest>& found) const;
  void look_for_text(std::span<const std::byte> bytes, std::set<Digest>& found) const;

  std::unordered_map<std::uint64_t, std::vector<Digest>> by_beginning_;  // its first 8 bytes
};

}  // namespace atelier
