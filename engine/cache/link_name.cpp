#include "cache/link_name.h"

#include <fmt/format.h>
#include <charconv>

namespace atelier {
namespace {

constexpr std::string_view kEmpty = "%";  // an empty name; no escape is that short

bool plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '/' && c != '%'; }

void escape(std::string& link, char c) { link += fmt::format("%{:02X}", static_cast<unsigned char>(c)); }

}  // namespace

std::string to_link_name(std::string_view name) {
  if (name.empty()) return std::string(kEmpty);
  const bool dots = name == "." || name == "..";
  std::string link;
  for (const char c : name)
    if (plain(c) && !dots)
      link += c;
    else
      escape(link, c);
  return link;
}

std::optional<std::string> from_link_name(std::string_view link) {
  if (link == kEmpty) return std::string();
  std::string name;
  for (std::size_t i = 0; i < link.size(); ++i) {
    if (link[i] != '%') {
      name += link[i];
      continue;
    }
    if (i + 2 >= link.size()) return std::nullopt;
    unsigned value = 0;
    const char *first = link.data() + i + 1, *last = first + 2;
    if (std::from_chars(first, last, value, 16).ptr != last) return std::nullopt;
    name += static_cast<char>(value);
    i += 2;
  }
  if (to_link_name(name) != link) return std::nullopt;
  return name;
}

}  // namespace atelier
