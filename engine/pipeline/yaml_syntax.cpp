#include "pipeline/yaml_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace atelier {
namespace {

struct Sentence {
  std::string_view begins;  // yaml-cpp's message begins so
  std::string_view text;
};

constexpr std::array sentences{
    Sentence{"the referenced anchor is not defined", alias_sentence},
    Sentence{"end of map flow not found",
             "syntax error in '{…}'; expected ',' or '}' here; a text that holds braces, such as \"${name}\", needs "
             "quotes"},
    Sentence{"end of sequence flow not found",
             "syntax error in '[…]'; expected ',' or ']' here; a text that holds brackets or braces needs quotes"},
    Sentence{"illegal flow end",
             "syntax error: a bracket closes that was not opened; a text that holds one needs quotes"},
    Sentence{"illegal map value",
             "syntax error: a ':' where no value can stand; expected the same indentation for all keys of a map, and "
             "quotes around a text that holds ': '"},
    Sentence{"end of map not found",
             "syntax error in a map; expected 'key: value' at the indentation of the other keys"},
    Sentence{"end of sequence not found",
             "syntax error in a list; expected '- item' at the indentation of the other items"},
    Sentence{"illegal block entry", "syntax error: a '-' where no list can begin; expected it on a line of its own"},
    Sentence{"illegal map key", "syntax error: a key where none can stand; expected it on a line of its own"},
    Sentence{"illegal EOF in scalar", "syntax error: the text ends within quotes; expected the closing quote"},
    Sentence{"illegal document indicator in scalar",
             "syntax error: '---' or '...' within quotes; expected the closing quote"},
    Sentence{
        "unknown escape character",
        "syntax error: an unknown '\\' sequence in double quotes; expected '\\\\' for a backslash, or single quotes"},
    Sentence{"bad character found while scanning hex number",
             "syntax error: a '\\x', '\\u' or '\\U' in double quotes without its hexadecimal digits"},
    Sentence{"invalid unicode", "syntax error: a '\\u' or '\\U' in double quotes that names no character"},
    Sentence{"unknown token",
             "syntax error: a value cannot begin with this character; expected quotes around a text that does"},
};

}  // namespace

bool closes(std::string_view text, std::size_t quote) {
  for (std::size_t i = quote + 1; i < text.size(); ++i) {
    if (text[quote] == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == text[quote]) {
      const bool is_doubled = text[quote] == '\'' && i + 1 < text.size() && text[i + 1] == '\'';
      if (!is_doubled) return true;
      ++i;
    }
  }
  return false;
}

SourcePosition position_of(const std::string& file, const SourceText& text, int line, int byte) {
  const auto row = static_cast<std::size_t>(std::max(line, 0));
  const auto column = text.code_points_before(row, static_cast<std::size_t>(std::max(byte, 0)));
  return {file, static_cast<int>(row) + 1, static_cast<int>(column) + 1};
}

std::string syntax_sentence(std::string_view message) {
  const auto found = std::ranges::find_if(sentences, [&](const Sentence& s) { return message.starts_with(s.begins); });
  if (found != sentences.end()) return std::string(found->text);
  return fmt::format("syntax error: {}; expected YAML", message);
}

}  // namespace atelier
