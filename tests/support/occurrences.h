// support: how often a text holds another.
#pragma once
#include <cstddef>
#include <string_view>

namespace atelier {

// Without overlaps; `what` is not empty.
inline std::size_t occurrences(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

}  // namespace atelier
