// types: text from strangers, before it becomes metadata.
#pragma once
#include <string>
#include <string_view>

namespace atelier {

// Whether the bytes are UTF-8 as the Unicode standard defines it: no overlong forms, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view bytes) noexcept;

// The text as one line, without a byte order mark: each run of white space becomes one space, none stands at the ends.
std::string as_one_line(std::string_view text);

}  // namespace atelier
