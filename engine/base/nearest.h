// base: the nearest right name to a wrong one, for "did you mean".
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace atelier {

// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other, capital letters being
// small ones (optimal string alignment; Damerau 1964). Bytes, not code points.
std::size_t edit_distance(std::string_view one, std::string_view other);

// The name in `right` that `wrong` was probably meant to be; empty where none is near enough: one edit in a name of
// three letters, two up to eight, three beyond; a name begun but not finished is near too. The first of equals.
std::string nearest(std::string_view wrong, std::span<const std::string> right);

// "; did you mean 'steps'?" or nothing: the end of a sentence about an unknown name.
std::string did_you_mean(std::string_view wrong, std::span<const std::string> right);

}  // namespace atelier
