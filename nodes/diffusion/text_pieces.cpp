#include "diffusion/text_pieces.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <array>

namespace atelier::diffusion {
namespace {

enum class Kind { space, letter, number, other };

Kind kind_of(UChar32 c) {
  if (u_isUWhiteSpace(c)) return Kind::space;
  const uint32_t category = U_GET_GC_MASK(c);
  if ((category & U_GC_L_MASK) != 0) return Kind::letter;
  return (category & U_GC_N_MASK) != 0 ? Kind::number : Kind::other;
}

icu::UnicodeString compose(std::string_view text) {
  const auto utf16 = icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
  if (U_FAILURE(status)) return utf16;
  icu::UnicodeString composed = nfc->normalize(utf16, status);
  return U_SUCCESS(status) ? composed : utf16;
}

/// Capital I with dot is the one letter whose lower case is two code points.
constexpr UChar32 kCapitalIWithDot = 0x130;
constexpr UChar32 kDotAbove = 0x307;

std::u32string lowered(const icu::UnicodeString& text) {
  std::u32string points;
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 c = text.char32At(i);
    if (c == kCapitalIWithDot) {
      points += {U'i', static_cast<char32_t>(kDotAbove)};
    } else {
      points += static_cast<char32_t>(kind_of(c) == Kind::space ? U' ' : u_tolower(c));
    }
  }
  return points;
}

std::string utf8(std::u32string_view points) {
  std::string bytes;
  icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(points.data()), static_cast<int32_t>(points.size()))
      .toUTF8String(bytes);
  return bytes;
}

/// The contraction or special word that `rest` begins with; empty if none.
std::u32string_view fixed_piece(std::u32string_view rest) {
  constexpr std::array<std::u32string_view, 9> kFixed{
      U"<|startoftext|>", U"<|endoftext|>", U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"};
  for (const auto fixed : kFixed) {
    if (rest.starts_with(fixed)) return fixed;
  }
  return {};
}

std::size_t run_length(std::u32string_view rest, Kind kind) {
  std::size_t n = 1;
  while (n < rest.size() && kind_of(static_cast<UChar32>(rest[n])) == kind) ++n;
  return n;
}

}  // namespace

std::vector<std::string> clip_pieces(std::string_view text) {
  const std::u32string points = lowered(compose(text));
  std::vector<std::string> pieces;
  std::u32string_view rest = points;
  while (!rest.empty()) {
    if (const auto fixed = fixed_piece(rest); !fixed.empty()) {
      // A special word that only came about by lower-casing is no special token: its parts are ordinary pieces.
      if (fixed.front() == U'<') {
        for (const auto part :
             {fixed.substr(0, 2), fixed.substr(2, fixed.size() - 4), fixed.substr(fixed.size() - 2)}) {
          pieces.push_back(utf8(part));
        }
      } else {
        pieces.push_back(utf8(fixed));
      }
      rest.remove_prefix(fixed.size());
      continue;
    }
    const Kind kind = kind_of(static_cast<UChar32>(rest.front()));
    const std::size_t n = kind == Kind::number ? 1 : run_length(rest, kind);
    if (kind != Kind::space) pieces.push_back(utf8(rest.substr(0, n)));
    rest.remove_prefix(n);
  }
  return pieces;
}

}  // namespace atelier::diffusion
