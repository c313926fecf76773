#include "diffusion/tokenizer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diffusion/json_reader.h"
#include "diffusion/text_pieces.h"

namespace atelier::diffusion {
namespace {

/// transformers writes a special token as its text or, in older files, as an object.
std::string token_text(const nlohmann::json& config, const char* key, const char* fallback) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return fallback;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string()) {
    return (*found)["content"].get<std::string>();
  }
  return fallback;
}

/// Tokens beyond vocab.json, as transformers lists them in new and in old files.
std::vector<std::string> added_tokens(const nlohmann::json& config, const std::filesystem::path& folder) {
  std::vector<std::string> added;
  const auto decoder = config.find("added_tokens_decoder");
  if (decoder != config.end() && decoder->is_object()) {
    for (const auto& [id, token] : decoder->items()) {
      if (token.is_object() && token.contains("content") && token["content"].is_string()) {
        added.push_back(token["content"].get<std::string>());
      }
    }
  }
  if (const auto file = folder / "added_tokens.json"; std::filesystem::exists(file)) {
    if (const auto json = read_json_object(file)) {
      for (const auto& [token, id] : json->items()) added.push_back(token);
    }
  }
  return added;
}

constexpr std::size_t kDefaultLength = 77;
/// transformers writes 1e30 where a tokenizer has no length of its own.
constexpr double kNoLength = 1e9;

}  // namespace

Result<ClipTokenizer> ClipTokenizer::open(const std::filesystem::path& folder) {
  auto pairs = BytePairs::open(folder);
  if (!pairs) return tl::unexpected(pairs.error());
  nlohmann::json config = nlohmann::json::object();
  const auto path = folder / "tokenizer_config.json";
  if (std::filesystem::exists(path)) {
    auto read = read_json_object(path);
    if (!read) return tl::unexpected(read.error());
    config = std::move(*read);
  }
  ClipTokenizer tokenizer(std::move(*pairs));
  for (const auto& [key, fallback, id] : {std::tuple{"bos_token", "<|startoftext|>", &tokenizer.start_},
                                          {"eos_token", "<|endoftext|>", &tokenizer.end_},
                                          {"pad_token", "<|endoftext|>", &tokenizer.padding_}}) {
    const std::string text = token_text(config, key, fallback);
    *id = tokenizer.pairs_.id_of(text);
    if (*id < 0) {
      return fail(fmt::format("{}: '{}' is '{}', which vocab.json does not have", path.string(), key, text));
    }
    tokenizer.special_.emplace_back(text, *id);
  }
  std::ranges::stable_sort(tokenizer.special_, std::greater{}, [](const auto& item) { return item.first.size(); });
  for (const std::string& added : added_tokens(config, folder)) {
    if (std::ranges::find(tokenizer.special_, added, &std::pair<std::string, int64_t>::first) ==
        tokenizer.special_.end()) {
      return fail(fmt::format("{}: adds the token '{}' to CLIP's vocabulary; added tokens are not supported",
                              folder.string(), added));
    }
  }
  const auto length = config.find("model_max_length");
  if (length != config.end() && length->is_number() && length->get<double>() < kNoLength) {
    if (!length->is_number_integer() || length->get<int64_t>() < 3) {
      return fail(fmt::format("{}: 'model_max_length' is {}, expected at least 3", path.string(), length->dump()));
    }
    tokenizer.length_ = length->get<std::size_t>();
  } else {
    tokenizer.length_ = kDefaultLength;
  }
  return tokenizer;
}

void ClipTokenizer::encode_plain(std::string_view text, std::vector<int64_t>& ids) const {
  for (const std::string& piece : clip_pieces(text)) {
    const auto more = pairs_.encode(piece);
    ids.insert(ids.end(), more.begin(), more.end());
  }
}

std::vector<int64_t> ClipTokenizer::encode(std::string_view text) const {
  std::vector<int64_t> ids;
  std::size_t plain = 0;  // where the text since the last special token begins
  std::size_t at = 0;
  while (at < text.size()) {
    const auto special =
        std::ranges::find_if(special_, [&](const auto& item) { return text.substr(at).starts_with(item.first); });
    if (special == special_.end()) {
      ++at;
      continue;
    }
    encode_plain(text.substr(plain, at - plain), ids);
    ids.push_back(special->second);
    plain = at += special->first.size();
  }
  encode_plain(text.substr(plain), ids);
  return ids;
}

std::vector<int64_t> ClipTokenizer::encode_padded(std::string_view text) const {
  std::vector<int64_t> padded(length_, padding_);
  const auto ids = encode(text);
  const std::size_t kept = std::min(ids.size(), length_ - 2);
  padded[0] = start_;
  std::copy_n(ids.begin(), kept, padded.begin() + 1);
  padded[kept + 1] = end_;
  return padded;
}

at::Tensor ClipTokenizer::encode_batch(std::span<const std::string> texts) const {
  at::Tensor batch = at::empty({static_cast<int64_t>(texts.size()), static_cast<int64_t>(length_)}, at::kLong);
  auto* row = batch.data_ptr<int64_t>();
  for (const std::string& text : texts) row = std::ranges::copy(encode_padded(text), row).out;
  return batch;  // [texts, length]
}

std::size_t ClipTokenizer::truncated(std::string_view text) const {
  const std::size_t ids = encode(text).size();
  return ids > length_ - 2 ? ids - (length_ - 2) : 0;
}

}  // namespace atelier::diffusion
