#include "portrait/caption_text.h"

#include <algorithm>

namespace atelier {
namespace {

bool in_word(char c) {
  const auto u = static_cast<unsigned char>(c);
  return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u >= 0x80 || c == '_';
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool joins_words(std::string_view text, std::size_t i) {
  return (text[i] == '\'' || text[i] == '-') && i > 0 && i + 1 < text.size() && in_word(text[i - 1]) &&
         in_word(text[i + 1]);
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

// A full stop inside a number or an abbreviation ends nothing.
bool ends_part(std::string_view text, std::size_t i) {
  if (text[i] == ',' || text[i] == ';' || text[i] == '!' || text[i] == '?') return true;
  return text[i] == '.' && (i + 1 == text.size() || text[i + 1] == ' ');
}

// Where the words of `phrase` stand in a row among `words`, from `from` on; words.size() where they do not.
std::size_t find_words(const std::vector<Word>& words, const std::vector<Word>& phrase, std::size_t from) {
  const auto same = [](const Word& a, const Word& b) { return a.text == b.text; };
  const auto found =
      std::search(words.begin() + static_cast<std::ptrdiff_t>(from), words.end(), phrase.begin(), phrase.end(), same);
  return static_cast<std::size_t>(found - words.begin());
}

}  // namespace

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!in_word(text[i])) continue;
    Word word{{}, i, i};
    while (word.end < text.size() && (in_word(text[word.end]) || joins_words(text, word.end)))
      word.text += lower(text[word.end++]);
    i = word.end - 1;
    words.push_back(std::move(word));
  }
  return words;
}

std::vector<std::string> parts_of(std::string_view caption) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= caption.size(); ++i) {
    if (i < caption.size() && !ends_part(caption, i)) continue;
    if (auto part = trimmed(caption.substr(begin, i - begin)); !part.empty()) parts.push_back(std::move(part));
    begin = i + 1;
  }
  return parts;
}

bool is_tag_list(std::string_view caption) {
  constexpr std::size_t most_words = 4;
  for (std::size_t i = 0; i < caption.size(); ++i)
    if (caption[i] != ',' && caption[i] != ';' && ends_part(caption, i)) return false;
  return std::ranges::all_of(parts_of(caption), [](const auto& p) { return words_of(p).size() <= most_words; });
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

bool holds_words(std::string_view text, std::string_view phrase) {
  const auto words = words_of(text), wanted = words_of(phrase);
  return !wanted.empty() && find_words(words, wanted, 0) < words.size();
}

std::string without_words(std::string_view text, std::string_view phrase) {
  const auto words = words_of(text), wanted = words_of(phrase);
  if (wanted.empty() || find_words(words, wanted, 0) == words.size()) return std::string(text);
  std::string rest;
  std::size_t begin = 0;
  for (std::size_t at = 0; (at = find_words(words, wanted, at)) < words.size(); at += wanted.size()) {
    rest += text.substr(begin, words[at].begin - begin);
    begin = words[at + wanted.size() - 1].end;
  }
  rest += text.substr(begin);
  // A tag that is gone leaves an empty part, a word a second blank.
  std::string tidy;
  for (const char c : rest) {
    if (c == ' ' && (tidy.empty() || tidy.back() == ' ')) continue;
    if (c == ',' || c == '.' || c == ';') {
      while (tidy.ends_with(' ')) tidy.pop_back();
      if (tidy.empty() || (c == ',' && tidy.back() == ',')) continue;
    }
    tidy += c;
  }
  while (tidy.ends_with(' ') || tidy.ends_with(',')) tidy.pop_back();
  return tidy;
}

}  // namespace atelier
