// portrait: captions as text: their words and their parts.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

// A word of a text and where it stands.
struct Word {
  std::string text;                // ASCII letters in lower case
  std::size_t begin = 0, end = 0;  // bytes of the original
};

// Runs of letters, digits, bytes beyond ASCII, and apostrophes and hyphens inside a word.
std::vector<Word> words_of(std::string_view text);

// What stands between commas, semicolons and full stops, without white space at the ends; empty ones are left out.
std::vector<std::string> parts_of(std::string_view caption);

// Whether the caption is a list of tags rather than sentences: no full stop, exclamation or question mark, and no part
// of more than four words.
bool is_tag_list(std::string_view caption);

std::string joined(const std::vector<std::string>& parts);  // with ", "

// Whether `phrase` stands in `text` as whole words, whatever their case.
bool holds_words(std::string_view text, std::string_view phrase);

// The text without any occurrence of `phrase` as whole words, and without the separators that then stand alone.
std::string without_words(std::string_view text, std::string_view phrase);

}  // namespace atelier
