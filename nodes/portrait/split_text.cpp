#include "portrait/split_text.h"

#include <algorithm>

namespace atelier {
namespace {

constexpr std::size_t words_of_a_tag = 3;

bool inside_phrase(const std::vector<WordRules::Match>& matches, std::size_t word) {
  return std::ranges::any_of(matches,
                             [&](const auto& m) { return m.count > 1 && word >= m.first && word < m.first + m.count; });
}

void add_chunks_of(const std::string& part, const WordRules& rules, std::vector<std::string>& chunks) {
  const auto words = words_of(part);
  const auto matches = rules.matches(words);
  const auto add = [&](std::size_t first, std::size_t last) {  // words, without `last`
    if (first < last) chunks.push_back(part.substr(words[first].begin, words[last - 1].end - words[first].begin));
  };
  std::size_t first = 0;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t length = inside_phrase(matches, at) ? 0 : rules.connector_at(words, at);
    if (length > 0) {
      add(first, at);
      first = at + length;
    }
    at += std::max<std::size_t>(length, 1);
  }
  add(first, words.size());
}

}  // namespace

std::vector<std::string> chunks_of(std::string_view caption, const WordRules& rules) {
  std::vector<std::string> chunks;
  for (const auto& part : parts_of(caption)) {
    if (words_of(part).size() <= words_of_a_tag)
      chunks.push_back(part);
    else
      add_chunks_of(part, rules, chunks);
  }
  return chunks;
}

Side side_of(std::string_view chunk, const WordRules& rules, Region region) {
  const auto matches = rules.matches(words_of(chunk));
  if (matches.empty()) return Side::unknown;
  WordRules::Match best = matches.front();
  for (const auto& match : matches)
    if (match.count >= best.count) best = match;
  return side_of(best.belongs, region);
}

SplitCaption split_caption(std::string_view caption, const WordRules& rules, const Decide& decide) {
  std::vector<std::string> portrait, background;
  for (const auto& chunk : chunks_of(caption, rules)) {
    const Side side = decide(chunk);
    if (side != Side::background) portrait.push_back(chunk);
    if (side != Side::portrait) background.push_back(chunk);
  }
  return {joined(portrait), joined(background)};
}

}  // namespace atelier
