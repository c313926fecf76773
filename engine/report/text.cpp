#include "report/text.h"

#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace atelier {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// How many bytes the UTF-8 character at the front has; 0 where it is none. RFC 3629.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first < 0xE0   ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) || (first == 0xF0 && byte(1) < 0x90) ||
      (first == 0xF4 && byte(1) > 0x8F))
    return 0;
  return length;
}

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'; }

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const char c = text.front();
    if (length == 0 || (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F)
      out += replacement;
    else if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return out;
}

std::string show_count(std::size_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, "\xE2\x80\xAF");  // narrow no-break space
  return digits;
}

std::string show_moment(double seconds_since_epoch) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(seconds_since_epoch)));
}

std::string show_number(double value) { return fmt::format("{:.3g}", value); }

std::string plural(std::size_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", show_count(n), n == 1 ? one : many);
}

std::string anchor(std::string_view prefix, std::string_view text) {
  std::string id(prefix);
  id += '-';
  for (const char c : text) {
    if (is_plain(c))
      id += c;
    else
      id += fmt::format("_{:02x}", static_cast<unsigned char>(c));
  }
  return id;
}

std::string link_to(std::string_view path) {
  std::string link;
  for (const char c : path) {
    if (is_plain(c) || c == '/' || c == '.' || c == '_' || c == '~')
      link += c;
    else
      link += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return link;
}

}  // namespace atelier
