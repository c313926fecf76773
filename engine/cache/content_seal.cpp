#include "cache/content_seal.h"

#include <fmt/format.h>
#include <algorithm>
#include <cstring>

namespace atelier {
namespace {

constexpr int kFormat = 1;  // raised when the layout of content files changes
constexpr std::string_view kMagic = "atelier ";

std::string_view name_of(ContentKind kind) { return kind == ContentKind::outputs ? "outputs" : "checkpoint"; }

}  // namespace

Seal make_seal(ContentKind kind, const Digest& key, std::uint64_t length, const Checksum& sum) {
  const std::string text = fmt::format("{}{}\nformat {}\nkey {}\nlength {}\nxxh3-128 {:016x}{:016x}\n", kMagic,
                                       name_of(kind), kFormat, key.hex(), length, sum.high, sum.low);
  Seal seal{};
  std::memcpy(seal.data(), text.data(), std::min(text.size(), seal.size()));
  return seal;
}

std::string check_seal(ContentKind kind, const Digest& key, std::span<const std::byte> file) {
  if (file.size() <= kSealBytes) return "it is cut short";
  if (std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) return "it is not a file of this cache";
  const auto body = file.subspan(kSealBytes);
  const Seal expected = make_seal(kind, key, body.size(), xxh3_128(body));
  if (!std::ranges::equal(expected, file.first(kSealBytes))) return "its bytes are not those that were written";
  return {};
}

}  // namespace atelier
