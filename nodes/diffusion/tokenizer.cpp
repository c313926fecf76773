#include "diffusion/tokenizer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diffusion/json_reader.h"
#include "diffusion/text_pieces.h"
#include "diffusion/tokenizer_json.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kDefaultLength = 77;
/// transformers writes 1e30 where a tokenizer has no length of its own.
constexpr double kNoLength = 1e9;

/// The entries, and what the files beside them say.
struct Files {
  BytePairs pairs;
  std::string vocabulary_name;          ///< of the file the entries are from
  Json config = Json::object();         ///< tokenizer_config.json
  Json special = Json::object();        ///< special_tokens_map.json
  std::vector<std::string> added = {};  ///< tokens beyond the vocabulary, by whichever file
};

/// An object, empty where there is no such file.
Result<Json> read_if_there(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  return read_json_object(path);
}

Result<Files> read_entries(const fs::path& folder) {
  const auto whole = folder / "tokenizer.json";
  if (!fs::exists(folder / "vocab.json") && fs::exists(whole)) {
    auto read = read_tokenizer_json(whole);
    if (!read) return tl::unexpected(read.error());
    return Files{.pairs = std::move(read->pairs), .vocabulary_name = "tokenizer.json", .added = std::move(read->added)};
  }
  auto pairs = BytePairs::open(folder);
  if (!pairs) return tl::unexpected(pairs.error());
  return Files{.pairs = std::move(*pairs), .vocabulary_name = "vocab.json"};
}

Result<Files> read_files(const fs::path& folder) {
  auto files = read_entries(folder);
  if (!files) return files;
  for (const auto& [name, json] :
       {std::pair{"tokenizer_config.json", &files->config}, {"special_tokens_map.json", &files->special}}) {
    auto read = read_if_there(folder / name);
    if (!read) return tl::unexpected(read.error());
    *json = std::move(*read);
  }
  const auto decoder = files->config.find("added_tokens_decoder");
  if (decoder != files->config.end() && decoder->is_object()) {
    for (const auto& [id, token] : decoder->items()) {
      if (token.is_object() && token.contains("content") && token["content"].is_string()) {
        files->added.push_back(token["content"].get<std::string>());
      }
    }
  }
  const auto old = read_if_there(folder / "added_tokens.json");
  if (!old) return tl::unexpected(old.error());
  for (const auto& [token, id] : old->items()) files->added.push_back(token);
  return files;
}

/// transformers writes a special token as its text or as an object. Empty where there is none.
std::string token_text(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string()) {
    return (*found)["content"].get<std::string>();
  }
  return {};
}

struct SpecialToken {
  std::string text;
  const char* file;  ///< that says so
};

SpecialToken special_token(const Files& files, const char* key, const char* fallback) {
  if (!files.config.contains("added_tokens_decoder")) {
    if (auto text = token_text(files.special, key); !text.empty()) return {std::move(text), "special_tokens_map.json"};
  }
  if (auto text = token_text(files.config, key); !text.empty()) return {std::move(text), "tokenizer_config.json"};
  return {fallback, "tokenizer_config.json"};
}

Result<std::size_t> length_of(const Json& config, const fs::path& path) {
  const auto length = config.find("model_max_length");
  if (length == config.end() || !length->is_number() || length->get<double>() >= kNoLength) return kDefaultLength;
  if (!length->is_number_integer() || length->get<int64_t>() < 3) {
    return fail(fmt::format("{}: 'model_max_length' is {}, expected at least 3", path.string(), length->dump()));
  }
  return length->get<std::size_t>();
}

}  // namespace

Result<ClipTokenizer> ClipTokenizer::open(const fs::path& folder) {
  auto files = read_files(folder);
  if (!files) return tl::unexpected(files.error());
  ClipTokenizer tokenizer(std::move(files->pairs));
  for (const auto& [key, fallback, id] : {std::tuple{"bos_token", "<|startoftext|>", &tokenizer.start_},
                                          {"eos_token", "<|endoftext|>", &tokenizer.end_},
                                          {"pad_token", "<|endoftext|>", &tokenizer.padding_}}) {
    const auto [text, file] = special_token(*files, key, fallback);
    *id = tokenizer.pairs_.id_of(text);
    if (*id < 0) {
      return fail(fmt::format("{}: '{}' is '{}', which {} does not have", (folder / file).string(), key, text,
                              files->vocabulary_name));
    }
    tokenizer.add_special(text, *id);
  }
  for (const std::string& added : files->added) {
    if (std::ranges::find(tokenizer.special_, added, &std::pair<std::string, int64_t>::first) ==
        tokenizer.special_.end()) {
      return fail(fmt::format("{}: adds the token '{}' to CLIP's vocabulary; added tokens are not supported",
                              folder.string(), added));
    }
  }
  const auto length = length_of(files->config, folder / "tokenizer_config.json");
  if (!length) return tl::unexpected(length.error());
  tokenizer.length_ = *length;
  return tokenizer;
}

Result<ClipTokenizer> ClipTokenizer::open(const fs::path& folder, int64_t padding_id) {
  auto tokenizer = open(folder);
  if (!tokenizer) return tokenizer;
  const auto text = tokenizer->pairs_.entry_of(padding_id);
  if (text.empty())
    return fail(fmt::format("{}: its vocabulary has no id {} to pad with", folder.string(), padding_id));
  tokenizer->padding_ = padding_id;
  tokenizer->add_special(text, padding_id);
  return tokenizer;
}

void ClipTokenizer::add_special(const std::string& text, int64_t id) {
  special_.emplace_back(text, id);
  std::ranges::stable_sort(special_, std::greater{}, [](const auto& item) { return item.first.size(); });
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
