#include "report/png_facts.h"

#include <algorithm>
#include <string_view>

namespace atelier {
namespace {

constexpr std::size_t signature_bytes = 8, chunk_frame_bytes = 12;  // length, type and check of a chunk
constexpr std::uint32_t most_side = 4096;                           // px; no preview is so large

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// Latin-1, of which nodes write ASCII only; what is above becomes a question mark.
std::string from_latin1(std::string_view text) {
  std::string ascii(text);
  std::ranges::replace_if(ascii, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return ascii;
}

// After the keyword's NUL: tEXt has the text; iTXt, uncompressed, two bytes and two more texts with a NUL each before.
void read_text(std::string_view type, std::string_view data, PngFacts& facts) {
  const auto end = data.find('\0');
  if (end == std::string_view::npos) return;
  const auto keyword = data.substr(0, end);
  std::string* const wanted = keyword == "Title"         ? &facts.title
                              : keyword == "Description" ? &facts.description
                                                         : nullptr;
  if (!wanted) return;
  data.remove_prefix(end + 1);
  if (type == "tEXt") {
    *wanted = from_latin1(data);
    return;
  }
  if (data.size() < 2 || data[0] != 0) return;
  data.remove_prefix(2);
  for (int skipped = 0; skipped < 2; ++skipped) {
    const auto next = data.find('\0');
    if (next == std::string_view::npos) return;
    data.remove_prefix(next + 1);
  }
  *wanted = std::string(data);
}

}  // namespace

std::optional<PngFacts> png_facts(std::span<const std::byte> png) {
  const std::string_view bytes(reinterpret_cast<const char*>(png.data()), png.size());
  if (!bytes.starts_with("\x89PNG\r\n\x1a\n")) return std::nullopt;
  PngFacts facts;
  for (std::size_t at = signature_bytes; at + chunk_frame_bytes <= bytes.size();) {
    const std::uint32_t length = number_at(bytes, at);
    if (length > bytes.size() - at - chunk_frame_bytes) return std::nullopt;
    const auto type = bytes.substr(at + 4, 4), data = bytes.substr(at + 8, length);
    if (type == "IHDR" && length >= 8) facts = {number_at(data, 0), number_at(data, 4), {}, {}};
    if (type == "tEXt" || type == "iTXt") read_text(type, data, facts);
    at += chunk_frame_bytes + length;
  }
  const auto usable = [](std::uint32_t side) { return side > 0 && side <= most_side; };
  return usable(facts.width) && usable(facts.height) ? std::optional(facts) : std::nullopt;
}

}  // namespace atelier
