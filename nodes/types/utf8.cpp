#include "types/utf8.h"

#include <cstdint>

namespace atelier {
namespace {

struct Sequence {
  std::size_t length = 0;                 // bytes; 0: no sequence starts so
  unsigned char low = 0x80, high = 0xBF;  // of the second byte: what keeps out overlong forms and surrogates
};

Sequence sequence_of(unsigned char lead) {
  if (lead < 0x80) return {1};
  if (lead >= 0xC2 && lead <= 0xDF) return {2};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {3};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

}  // namespace

bool is_utf8(std::string_view bytes) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  for (std::size_t i = 0; i < bytes.size();) {
    const Sequence sequence = sequence_of(at(i));
    if (sequence.length == 0 || sequence.length > bytes.size() - i) return false;
    if (sequence.length > 1 && (at(i + 1) < sequence.low || at(i + 1) > sequence.high)) return false;
    for (std::size_t k = 2; k < sequence.length; ++k)
      if (at(i + k) < 0x80 || at(i + k) > 0xBF) return false;
    i += sequence.length;
  }
  return true;
}

std::string as_one_line(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string line;
  for (const char c : text) {
    const bool blank = static_cast<unsigned char>(c) <= ' ' || c == '\x7F';
    if (!blank) line += c;
    if (blank && !line.empty() && line.back() != ' ') line += ' ';
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

}  // namespace atelier
