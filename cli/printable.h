// cli: text out of strangers' files, as it may be printed.
#pragma once
#include <string>
#include <string_view>

namespace atelier::cli {

// The text with `?` for each control character, which a terminal would obey.
std::string printable(std::string_view text);

// The same in one line of at most `most` bytes, with `…` where there was more.
std::string brief(std::string_view text, std::size_t most);

}  // namespace atelier::cli
