#include "diffusion/prompt_chunks.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

namespace atelier::diffusion {
namespace {

/// WebUI's `comma_padding_backtrack`: a chunk may end this many tokens early to end behind a comma.
constexpr std::size_t kCommaBacktrack = 20;

/// What is never split: a token, or the vectors of a word.
struct Unit {
  int64_t first_id;
  int64_t count;  ///< consecutive ids
};

char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && std::ranges::equal(text.substr(0, start.size()), start, {}, lowered, lowered);
}

class WordFinder {
 public:
  WordFinder(const ClipTokenizer& tokenizer, std::span<const PromptWord> words) : tokenizer_(tokenizer) {
    for (const PromptWord& word : words) {
      if (word.name.starts_with('<') && word.name.ends_with('>')) bracketed_.push_back(&word);
      if (auto ids = tokenizer.encode(word.name); !ids.empty()) tokens_.push_back({std::move(ids), &word});
    }
    std::ranges::stable_sort(bracketed_, std::greater{}, [](const PromptWord* word) { return word->name.size(); });
    std::ranges::stable_sort(tokens_, std::greater{}, [](const Tokens& word) { return word.ids.size(); });
  }

  std::vector<Unit> units(std::string_view text) const {
    std::vector<Unit> units;
    std::size_t plain = 0;  // where the text since the last bracketed word begins
    for (std::size_t at = 0; at < text.size();) {
      const PromptWord* word = bracketed_at(text.substr(at));
      if (word == nullptr) {
        ++at;
        continue;
      }
      add_plain(text.substr(plain, at - plain), units);
      units.push_back({word->first_id, word->vectors});
      plain = at += word->name.size();
    }
    add_plain(text.substr(plain), units);
    return units;
  }

 private:
  struct Tokens {
    std::vector<int64_t> ids;
    const PromptWord* word;
  };

  const PromptWord* bracketed_at(std::string_view rest) const {
    if (!rest.starts_with('<')) return nullptr;
    const auto found = std::ranges::find_if(
        bracketed_, [&](const PromptWord* word) { return starts_with_ignoring_case(rest, word->name); });
    return found == bracketed_.end() ? nullptr : *found;
  }

  void add_plain(std::string_view text, std::vector<Unit>& units) const {
    const auto ids = tokenizer_.encode(text);
    std::span<const int64_t> rest(ids);
    while (!rest.empty()) {
      const auto found = std::ranges::find_if(tokens_, [&](const Tokens& word) {
        return rest.size() >= word.ids.size() && std::ranges::equal(rest.first(word.ids.size()), word.ids);
      });
      if (found == tokens_.end()) {
        units.push_back({rest.front(), 1});
        rest = rest.subspan(1);
      } else {
        units.push_back({found->word->first_id, found->word->vectors});
        rest = rest.subspan(found->ids.size());
      }
    }
  }

  const ClipTokenizer& tokenizer_;
  std::vector<const PromptWord*> bracketed_;  ///< longest first
  std::vector<Tokens> tokens_;                ///< longest first
};

class ChunkWriter {
 public:
  explicit ChunkWriter(const ClipTokenizer& tokenizer)
      : tokenizer_(tokenizer), room_(tokenizer.length() - 2), comma_(comma_of(tokenizer)) {}

  void add(const Unit& unit, double weight) {
    const auto count = static_cast<std::size_t>(unit.count);
    if (unit.first_id == comma_) {
      last_comma_ = ids_.size();
    } else if (ids_.size() == room_ && last_comma_ && ids_.size() - *last_comma_ <= kCommaBacktrack) {
      end_behind_comma();
    }
    if (ids_.size() + count > room_) end_chunk();
    for (int64_t i = 0; i < unit.count; ++i) {
      ids_.push_back(unit.first_id + i);
      weights_.push_back(static_cast<float>(weight));
    }
  }

  void end_chunk() {
    PromptChunk chunk{{tokenizer_.start_id()}, {1}};
    chunk.ids.insert(chunk.ids.end(), ids_.begin(), ids_.end());
    chunk.weights.insert(chunk.weights.end(), weights_.begin(), weights_.end());
    chunk.ids.push_back(tokenizer_.end_id());
    chunk.ids.resize(tokenizer_.length(), tokenizer_.padding_id());
    chunk.weights.resize(tokenizer_.length(), 1);
    chunks_.push_back(std::move(chunk));
    ids_.clear();
    weights_.clear();
    last_comma_.reset();
  }

  std::vector<PromptChunk> finish() {
    if (!ids_.empty() || chunks_.empty()) end_chunk();
    return std::move(chunks_);
  }

 private:
  static int64_t comma_of(const ClipTokenizer& tokenizer) {
    const auto ids = tokenizer.encode(",");
    return ids.size() == 1 ? ids.front() : -1;
  }

  /// No unit is split: a comma is one of its own.
  void end_behind_comma() {
    const auto kept = static_cast<std::ptrdiff_t>(*last_comma_ + 1);
    const std::vector<int64_t> ids(ids_.begin() + kept, ids_.end());
    const std::vector<float> weights(weights_.begin() + kept, weights_.end());
    ids_.resize(static_cast<std::size_t>(kept));
    weights_.resize(static_cast<std::size_t>(kept));
    end_chunk();
    ids_ = ids;
    weights_ = weights;
  }

  const ClipTokenizer& tokenizer_;
  const std::size_t room_;
  const int64_t comma_;
  std::vector<PromptChunk> chunks_;
  std::vector<int64_t> ids_;  ///< of the chunk that is being filled, without its start
  std::vector<float> weights_;
  std::optional<std::size_t> last_comma_;  ///< in ids_
};

}  // namespace

Result<std::vector<PromptChunk>> prompt_chunks(const ParsedPrompt& prompt, const ClipTokenizer& tokenizer,
                                               std::span<const PromptWord> words) {
  const auto room = static_cast<int64_t>(tokenizer.length()) - 2;
  for (const PromptWord& word : words) {
    if (word.vectors > room) {
      return fail(fmt::format("the embedding '{}' has {} vectors, a chunk of a prompt holds {}", word.name,
                              word.vectors, room));
    }
  }
  const WordFinder finder(tokenizer, words);
  ChunkWriter writer(tokenizer);
  for (const PromptPart& part : prompt.parts) {
    if (part.starts_chunk) writer.end_chunk();
    for (const Unit& unit : finder.units(part.text)) writer.add(unit, part.weight);
  }
  return writer.finish();
}

PromptChunk empty_chunk(const ClipTokenizer& tokenizer) { return ChunkWriter(tokenizer).finish().front(); }

std::vector<int64_t> ids_with_words(std::string_view text, const ClipTokenizer& tokenizer,
                                    std::span<const PromptWord> words) {
  std::vector<int64_t> ids;
  for (const Unit& unit : WordFinder(tokenizer, words).units(text)) {
    for (int64_t i = 0; i < unit.count; ++i) ids.push_back(unit.first_id + i);
  }
  return ids;
}

}  // namespace atelier::diffusion
