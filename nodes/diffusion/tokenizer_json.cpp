#include "diffusion/tokenizer_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diffusion/json_reader.h"

namespace atelier::diffusion {
namespace {

using Json = nlohmann::json;

/// What CLIPTokenizerFast cuts texts by, with the special words (from transformers 4.22 on) or without. They cut alike:
/// special words in a text are special tokens before the pattern sees them.
constexpr std::string_view kSpecialWords = R"(<\|startoftext\|>|<\|endoftext\|>|)";
constexpr std::string_view kPieces = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

const Json& at_or_null(const Json& json, const char* key) {
  static const Json kNull;
  const auto found = json.find(key);
  return found == json.end() ? kNull : *found;
}

bool is_type(const Json& json, std::string_view type) { return at_or_null(json, "type") == std::string(type); }

/// The members of a Sequence, under the key that its kind has.
std::vector<Json> sequence(const Json& json, const char* key) {
  if (!is_type(json, "Sequence")) return {};
  const Json& members = at_or_null(json, key);
  return members.is_array() ? members.get<std::vector<Json>>() : std::vector<Json>();
}

bool is_clips_normalizer(const Json& json) {
  const auto steps = sequence(json, "normalizers");
  return steps.size() == 3 && is_type(steps[0], "NFC") && is_type(steps[1], "Replace") &&
         at_or_null(steps[1], "pattern") == Json{{"Regex", "\\s+"}} && at_or_null(steps[1], "content") == " " &&
         is_type(steps[2], "Lowercase");
}

bool is_clips_pre_tokenizer(const Json& json) {
  const auto steps = sequence(json, "pretokenizers");
  if (steps.size() != 2 || !is_type(steps[0], "Split") || !is_type(steps[1], "ByteLevel")) return false;
  const Json& pattern = at_or_null(at_or_null(steps[0], "pattern"), "Regex");
  const bool known = pattern == std::string(kPieces) || pattern == std::string(kSpecialWords) + std::string(kPieces);
  return known && at_or_null(steps[0], "behavior") == "Removed" && at_or_null(steps[0], "invert") == true &&
         at_or_null(steps[1], "add_prefix_space") == false;
}

/// Empty where the model's settings are CLIP's; otherwise the first that is not, as `key is value`.
std::string other_model(const Json& model) {
  const std::vector<std::pair<const char*, std::vector<Json>>> kClips{{"type", {"BPE", nullptr}},
                                                                      {"dropout", {nullptr, 0.0}},
                                                                      {"continuing_subword_prefix", {"", nullptr}},
                                                                      {"end_of_word_suffix", {"</w>"}},
                                                                      {"byte_fallback", {false, nullptr}},
                                                                      {"ignore_merges", {false, nullptr}}};
  for (const auto& [key, values] : kClips) {
    const Json& value = at_or_null(model, key);
    if (std::ranges::find(values, value) == values.end()) return fmt::format("'model.{}' is {}", key, value.dump());
  }
  return {};
}

Result<void> check_clips(const Json& json, const std::string& file) {
  const auto refuse = [&](const std::string& what) {
    return fail(fmt::format("{}: {}, which is not CLIP's; other tokenizers are not supported", file, what));
  };
  if (!is_clips_normalizer(at_or_null(json, "normalizer"))) {
    return refuse(fmt::format("'normalizer' is {}", at_or_null(json, "normalizer").dump()));
  }
  if (!is_clips_pre_tokenizer(at_or_null(json, "pre_tokenizer"))) {
    return refuse(fmt::format("'pre_tokenizer' is {}", at_or_null(json, "pre_tokenizer").dump()));
  }
  const Json& post = at_or_null(json, "post_processor");
  if (!post.is_null() && !is_type(post, "RobertaProcessing")) {
    return refuse(fmt::format("'post_processor' is {}", post.dump()));
  }
  const Json& model = at_or_null(json, "model");
  if (!model.is_object() || !at_or_null(model, "vocab").is_object() || !at_or_null(model, "merges").is_array()) {
    return fail(fmt::format("{}: 'model' has no vocabulary and merges", file));
  }
  if (const auto other = other_model(model); !other.empty()) return refuse(other);
  return {};
}

/// The library wrote "i n" until 0.20 and writes ["i", "n"] since.
Result<std::vector<std::pair<std::string, std::string>>> merges_of(const Json& merges, const std::string& file) {
  std::vector<std::pair<std::string, std::string>> pairs;
  pairs.reserve(merges.size());
  for (const Json& merge : merges) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      pairs.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    const auto text = merge.is_string() ? merge.get<std::string>() : "";
    const auto space = text.find(' ');
    if (space == std::string::npos) return fail(fmt::format("{}: {} is not a merge", file, merge.dump()));
    pairs.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  return pairs;
}

Result<std::vector<std::string>> added_of(const Json& tokens, const std::string& file) {
  std::vector<std::string> added;
  if (tokens.is_null()) return added;
  for (const Json& token : tokens) {
    if (!token.is_object() || !at_or_null(token, "content").is_string()) {
      return fail(fmt::format("{}: 'added_tokens' holds {}, expected tokens with their 'content'", file, token.dump()));
    }
    added.push_back(token["content"].get<std::string>());
  }
  return added;
}

}  // namespace

Result<TokenizerJson> read_tokenizer_json(const std::filesystem::path& path) {
  const auto json = read_json_object(path);
  if (!json) return tl::unexpected(json.error());
  const std::string file = path.string();
  if (auto ok = check_clips(*json, file); !ok) return tl::unexpected(ok.error());
  const auto merges = merges_of((*json)["model"]["merges"], file);
  if (!merges) return tl::unexpected(merges.error());
  auto added = added_of(at_or_null(*json, "added_tokens"), file);
  if (!added) return tl::unexpected(added.error());
  auto pairs = BytePairs::create((*json)["model"]["vocab"], *merges, file);
  if (!pairs) return tl::unexpected(pairs.error());
  return TokenizerJson{std::move(*pairs), std::move(*added)};
}

}  // namespace atelier::diffusion
