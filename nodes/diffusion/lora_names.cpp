#include "diffusion/lora_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "diffusion/lora.h"

namespace atelier::diffusion {
namespace {

constexpr std::string_view kUnetPrefix = "lora_unet_";
constexpr std::string_view kTextPrefix = "lora_te_";

/// Words of diffusers' and transformers' module paths that contain an underscore; all others are what stands between
/// two underscores.
constexpr std::array kCompoundWords = {
    "down_blocks", "up_blocks", "mid_block", "transformer_blocks", "proj_in",        "proj_out",      "to_q",
    "to_k",        "to_v",      "to_out",    "time_emb_proj",      "time_embedding", "add_embedding", "linear_1",
    "linear_2",    "conv_in",   "conv_out",  "conv_shortcut",      "text_model",     "self_attn",     "q_proj",
    "k_proj",      "v_proj",    "out_proj"};

/// How long the word at the start of `rest` is.
size_t word_length(std::string_view rest) {
  size_t longest = 0;
  for (const std::string_view word : kCompoundWords)
    if (rest.starts_with(word) && (rest.size() == word.size() || rest[word.size()] == '_'))
      longest = std::max(longest, word.size());
  return longest > 0 ? longest : std::min(rest.find('_'), rest.size());
}

std::string dotted(std::string_view underscored) {
  std::string path;
  while (!underscored.empty()) {
    const size_t length = word_length(underscored);
    if (!path.empty()) path += '.';
    path += underscored.substr(0, length);
    underscored.remove_prefix(std::min(length + 1, underscored.size()));
  }
  return path;
}

bool numbered_as_sdxl(std::string_view path) {
  return path.starts_with("input_blocks") || path.starts_with("output_blocks") || path.starts_with("middle_block");
}

struct Suffix {
  std::string_view text;
  LoraFactor factor;
};

constexpr std::array kKohyaSuffixes = {Suffix{".lora_down.weight", LoraFactor::down},
                                       Suffix{".lora_up.weight", LoraFactor::up}, Suffix{".alpha", LoraFactor::alpha}};
constexpr std::array kPathSuffixes = {Suffix{".lora_A.weight", LoraFactor::down},
                                      Suffix{".lora_B.weight", LoraFactor::up},
                                      Suffix{".lora.down.weight", LoraFactor::down},
                                      Suffix{".lora.up.weight", LoraFactor::up}, Suffix{".alpha", LoraFactor::alpha}};

template <size_t N>
std::optional<std::pair<std::string_view, LoraFactor>> split(std::string_view key, const std::array<Suffix, N>& ends) {
  for (const Suffix& end : ends)
    if (key.ends_with(end.text)) return std::pair{key.substr(0, key.size() - end.text.size()), end.factor};
  return std::nullopt;
}

struct Prefix {
  std::string_view text;
  LoraNaming naming;
  bool text_encoder;
};

constexpr std::array kPathPrefixes = {
    Prefix{"base_model.model.unet.", LoraNaming::peft, false}, Prefix{"base_model.model.", LoraNaming::peft, false},
    Prefix{"unet.", LoraNaming::diffusers, false}, Prefix{"text_encoder.", LoraNaming::diffusers, true}};

}  // namespace

std::string kohya_key(std::string_view layer) {
  const bool is_text = layer.starts_with(kTextEncoderPrefix);
  std::string key{is_text ? layer.substr(kTextEncoderPrefix.size()) : layer};
  std::ranges::replace(key, '.', '_');
  return std::string(is_text ? kTextPrefix : kUnetPrefix) + key;
}

Result<std::string> layer_of_kohya_key(std::string_view key) {
  if (key.starts_with(kTextPrefix)) return std::string(kTextEncoderPrefix) + dotted(key.substr(kTextPrefix.size()));
  if (!key.starts_with(kUnetPrefix)) return fail(fmt::format("LoRA key '{}' is in no naming that is known", key));
  const std::string_view path = key.substr(kUnetPrefix.size());
  if (numbered_as_sdxl(path))
    return fail(fmt::format("LoRA key '{}' is in the numbering of SDXL, whose LoRAs are not supported yet", key));
  return dotted(path);
}

Result<LoraKey> parse_lora_key(const std::string& key) {
  if (key.starts_with("lora_")) {
    const auto parts = split(key, kKohyaSuffixes);
    if (!parts) return fail(fmt::format("LoRA key '{}' is in no naming that is known", key));
    auto layer = layer_of_kohya_key(parts->first);
    if (!layer) return tl::unexpected(layer.error());
    return LoraKey{LoraNaming::kohya, parts->second, *std::move(layer)};
  }
  for (const Prefix& prefix : kPathPrefixes) {
    const auto parts = split(key, kPathSuffixes);
    if (!parts || !key.starts_with(prefix.text)) continue;
    const std::string path{parts->first.substr(prefix.text.size())};
    return LoraKey{prefix.naming, parts->second, (prefix.text_encoder ? std::string(kTextEncoderPrefix) : "") + path};
  }
  return fail(fmt::format("LoRA key '{}' is in no naming that is known", key));
}

}  // namespace atelier::diffusion
