// pipeline: what yaml-cpp says of a syntax error, in the user's words and columns.
#pragma once
#include <string>
#include <string_view>

#include "pipeline/source.h"
#include "pipeline/source_text.h"

namespace atelier {

inline constexpr std::string_view alias_sentence = "an alias; expected the value itself, or a param and '${name}'";

// The place of yaml-cpp's mark, which counts lines and bytes from 0.
SourcePosition position_of(const std::string& file, const SourceText& text, int line, int byte);

// Whether the quote at this place of the text is closed. yaml-cpp takes the end of the file for a closing quote where a
// line break stands before it.
bool closes(std::string_view text, std::size_t quote);

// "syntax error: …; expected …" for a message of yaml-cpp 0.7.
std::string syntax_sentence(std::string_view message);

}  // namespace atelier
