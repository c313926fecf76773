// A prompt as the text encoder reads it: chunks of 75 tokens, each between its own start and end, as Stable Diffusion
// WebUI cuts them (AUTOMATIC1111, sd_hijack_clip).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/error.h"
#include "diffusion/prompt.h"
#include "diffusion/tokenizer.h"

namespace atelier::diffusion {

/// length() ids and their weights: start, what fits of the text, end, padding. Start, end and padding weigh 1.
struct PromptChunk {
  std::vector<int64_t> ids;
  std::vector<float> weights;
  bool operator==(const PromptChunk&) const = default;
};

/// A word that stands for vectors of its own in place of its tokens'.
struct PromptWord {
  std::string name;
  int64_t first_id = 0;  ///< its vectors are the ids from here on, beyond the vocabulary
  int64_t vectors = 1;
};

/// The chunks of a prompt, at least one. A chunk ends at BREAK, and where it is full; where its text goes on and a
/// comma is among its last 20 tokens, it ends behind the last such comma, and what follows that one moves on. (WebUI's
/// default.)
///
/// `words` are found as WebUI does, by their tokens, so in whatever case and never within another word; a name in angle
/// brackets, `<sks>`, also by its text, as diffusers does, so in `<sks>,` too. Of several that fit the longest counts.
/// A word's vectors are never split between chunks. Errors: a word of more vectors than a chunk holds.
Result<std::vector<PromptChunk>> prompt_chunks(const ParsedPrompt& prompt, const ClipTokenizer& tokenizer,
                                               std::span<const PromptWord> words = {});

/// A chunk without text.
PromptChunk empty_chunk(const ClipTokenizer& tokenizer);

/// tokenizer.encode() of a literal text in which each of the words is its vectors' ids.
std::vector<int64_t> ids_with_words(std::string_view text, const ClipTokenizer& tokenizer,
                                    std::span<const PromptWord> words);

}  // namespace atelier::diffusion
