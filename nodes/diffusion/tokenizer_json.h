// tokenizer.json: how the `tokenizers` library and with it transformers' fast tokenizers save a whole tokenizer. Read
// where a folder has it in place of vocab.json and merges.txt.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "diffusion/byte_pairs.h"
#include "diffusion/error.h"

namespace atelier::diffusion {

struct TokenizerJson {
  BytePairs pairs;
  std::vector<std::string> added;  ///< the texts of `added_tokens`
};

/// Reads vocabulary, merges (as text or as pairs) and added tokens. Errors: not JSON; a normalizer, pre-tokenizer,
/// post-processor or model that is not CLIP's, by the key's name; those of BytePairs. What says how long texts are
/// padded and cut is not looked at: that is tokenizer_config.json's.
Result<TokenizerJson> read_tokenizer_json(const std::filesystem::path& path);

}  // namespace atelier::diffusion
