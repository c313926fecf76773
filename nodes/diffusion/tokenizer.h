// CLIP's tokenizer: text to the ids that the text encoder reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diffusion/byte_pairs.h"
#include "diffusion/error.h"

namespace atelier::diffusion {

/// Immutable; may be used from many threads.
class ClipTokenizer {
 public:
  /// Reads vocab.json and merges.txt of a diffusers folder's tokenizer/, or where they are missing tokenizer.json;
  /// then tokenizer_config.json and special_tokens_map.json, where they are, for the special tokens and the length. As
  /// in transformers, the map counts before a configuration that lists no `added_tokens_decoder`: so is SD 2's padding
  /// 0. Without both, SD 1.x's settings hold: length 77, padded with the end token. Errors: those of BytePairs and
  /// read_tokenizer_json(); a special token that the vocabulary lacks; an added token; a length under 3.
  static Result<ClipTokenizer> open(const std::filesystem::path& folder);

  /// The same with another padding than the folder's: for single files, which have no tokenizer, 49407 with CLIP-L and
  /// 0 with OpenCLIP. Like a configured padding it is a special token in a text. Errors: an id that the vocabulary
  /// lacks.
  static Result<ClipTokenizer> open(const std::filesystem::path& folder, int64_t padding_id);

  /// All ids of the text, without start, end and padding. The special tokens, written in the text, are their ids.
  /// Bytes that are not UTF-8 count as U+FFFD.
  std::vector<int64_t> encode(std::string_view text) const;

  /// Exactly length() ids: start, the first length() - 2 of the text, end, padding.
  std::vector<int64_t> encode_padded(std::string_view text) const;

  /// encode_padded() of each text, [texts, length()] int64.
  at::Tensor encode_batch(std::span<const std::string> texts) const;

  /// How many ids of the text encode_padded() leaves out.
  std::size_t truncated(std::string_view text) const;

  int64_t start_id() const { return start_; }
  int64_t end_id() const { return end_; }
  int64_t padding_id() const { return padding_; }
  std::size_t length() const { return length_; }
  std::size_t vocabulary_size() const { return pairs_.size(); }

 private:
  explicit ClipTokenizer(BytePairs pairs) : pairs_(std::move(pairs)) {}
  void add_special(const std::string& text, int64_t id);
  void encode_plain(std::string_view text, std::vector<int64_t>& ids) const;

  BytePairs pairs_;
  std::vector<std::pair<std::string, int64_t>> special_;  ///< longest first
  int64_t start_ = 0, end_ = 0, padding_ = 0;
  std::size_t length_ = 77;
};

}  // namespace atelier::diffusion
