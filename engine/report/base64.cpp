#include "report/base64.h"

#include <cstdint>

namespace atelier {

// RFC 4648, with padding.
std::string base64(std::span<const std::byte> bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t j) {
      return i + j < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0U;
    };
    const std::uint32_t three = at(0) << 16 | at(1) << 8 | at(2);
    for (std::size_t d = 0; d < 4; ++d) text += i + d <= bytes.size() ? digits[three >> (18 - 6 * d) & 63U] : '=';
  }
  return text;
}

}  // namespace atelier
