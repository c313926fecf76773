#include "diffusion/lora_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "diffusion/lora.h"
#include "diffusion/lora_numbering.h"

namespace atelier::diffusion {
namespace {

constexpr std::string_view kUnetPrefix = "lora_unet_";
/// kohya counts text encoders from 1 where there are two.
constexpr std::string_view kTextPrefix = "lora_te_", kText1Prefix = "lora_te1_", kText2Prefix = "lora_te2_";
constexpr std::string_view kTextModel = "text_model.";

/// Words of module and block paths that contain an underscore; all others are what stands between two underscores.
constexpr std::array kCompoundWords = {
    "down_blocks", "up_blocks",  "mid_block",  "transformer_blocks", "proj_in",        "proj_out",      "to_q",
    "to_k",        "to_v",       "to_out",     "time_emb_proj",      "time_embedding", "add_embedding", "linear_1",
    "linear_2",    "conv_in",    "conv_out",   "conv_shortcut",      "text_model",     "self_attn",     "q_proj",
    "k_proj",      "v_proj",     "out_proj",   "text_projection",    "input_blocks",   "output_blocks", "middle_block",
    "in_layers",   "out_layers", "emb_layers", "skip_connection",    "time_embed",     "label_emb"};

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

std::string underscored(std::string path) {
  std::ranges::replace(path, '.', '_');
  return path;
}

/// Block paths and their words that module paths do not have.
bool is_block_path(std::string_view path) {
  static constexpr std::array<std::string_view, 6> starts = {"input_blocks.", "middle_block.", "output_blocks.",
                                                             "time_embed.",   "label_emb.",    "out."};
  return std::ranges::any_of(starts, [&](std::string_view start) { return path.starts_with(start); });
}

tl::unexpected<Error> unknown_key(std::string_view key) {
  return fail(fmt::format("LoRA key '{}' is in no naming that is known", key));
}

/// The layer of a text encoder by the path a file gives it: transformers 5 leaves `text_model.` out.
std::string text_layer(std::string_view prefix, std::string_view path) {
  const bool bare = path.starts_with("encoder.");
  return fmt::format("{}{}{}", prefix, bare ? kTextModel : "", path);
}

struct Suffix {
  std::string_view text;
  LoraFactor factor;
};

constexpr std::array kKohyaSuffixes = {
    Suffix{".lora_down.weight", LoraFactor::down}, Suffix{".lora_up.weight", LoraFactor::up},
    Suffix{".lora_mid.weight", LoraFactor::mid},   Suffix{".alpha", LoraFactor::alpha},
    Suffix{".dora_scale", LoraFactor::magnitude},  Suffix{".hada_w1_a", LoraFactor::hada_w1_a},
    Suffix{".hada_w1_b", LoraFactor::hada_w1_b},   Suffix{".hada_w2_a", LoraFactor::hada_w2_a},
    Suffix{".hada_w2_b", LoraFactor::hada_w2_b},   Suffix{".hada_t1", LoraFactor::hada_t1},
    Suffix{".hada_t2", LoraFactor::hada_t2},       Suffix{".lokr_w1", LoraFactor::lokr_w1},
    Suffix{".lokr_w1_a", LoraFactor::lokr_w1_a},   Suffix{".lokr_w1_b", LoraFactor::lokr_w1_b},
    Suffix{".lokr_w2", LoraFactor::lokr_w2},       Suffix{".lokr_w2_a", LoraFactor::lokr_w2_a},
    Suffix{".lokr_w2_b", LoraFactor::lokr_w2_b},   Suffix{".lokr_t2", LoraFactor::lokr_t2}};
/// Where one text ends with another, the longer one comes first.
constexpr std::array kPathSuffixes = {Suffix{".lora_A.weight", LoraFactor::down},
                                      Suffix{".lora_B.weight", LoraFactor::up},
                                      Suffix{".lora_A.default.weight", LoraFactor::down},
                                      Suffix{".lora_B.default.weight", LoraFactor::up},
                                      Suffix{".lora.down.weight", LoraFactor::down},
                                      Suffix{".lora.up.weight", LoraFactor::up},
                                      Suffix{".lora_linear_layer.down.weight", LoraFactor::down},
                                      Suffix{".lora_linear_layer.up.weight", LoraFactor::up},
                                      Suffix{"_lora.down.weight", LoraFactor::down},
                                      Suffix{"_lora.up.weight", LoraFactor::up},
                                      Suffix{"_lora.alpha", LoraFactor::alpha},
                                      Suffix{".lora.alpha", LoraFactor::alpha},
                                      Suffix{".lora_magnitude_vector", LoraFactor::magnitude},
                                      Suffix{".lora_magnitude_vector.weight", LoraFactor::magnitude},
                                      Suffix{".lora_magnitude_vector.default.weight", LoraFactor::magnitude},
                                      Suffix{".alpha", LoraFactor::alpha}};

template <size_t N>
std::optional<std::pair<std::string_view, LoraFactor>> split(std::string_view key, const std::array<Suffix, N>& ends) {
  for (const Suffix& end : ends)
    if (key.ends_with(end.text)) return std::pair{key.substr(0, key.size() - end.text.size()), end.factor};
  return std::nullopt;
}

struct Prefix {
  std::string_view text;
  LoraNaming naming;
  LoraPart part;
};

/// Where one text begins with another, the longer one comes first.
constexpr std::array kPathPrefixes = {
    Prefix{"base_model.model.unet.", LoraNaming::peft, LoraPart::unet},
    Prefix{"base_model.model.text_encoder.", LoraNaming::peft, LoraPart::text_encoder},
    Prefix{"base_model.model.text_encoder_2.", LoraNaming::peft, LoraPart::text_encoder_2},
    Prefix{"base_model.model.", LoraNaming::peft, LoraPart::unet},
    Prefix{"unet.", LoraNaming::diffusers, LoraPart::unet},
    Prefix{"text_encoder.", LoraNaming::diffusers, LoraPart::text_encoder},
    Prefix{"text_encoder_2.", LoraNaming::diffusers, LoraPart::text_encoder_2}};

/// The module that an adapter of diffusers before 0.17 belongs to: `attn1.processor.to_out` is `attn1.to_out.0` in a
/// UNet, and `self_attn.to_out` is `self_attn.out_proj` in a text encoder.
std::string modern_path(std::string path, LoraPart part) {
  constexpr std::string_view processor = ".processor.";
  if (const size_t at = path.find(processor); at != std::string::npos) path.erase(at, processor.size() - 1);
  const size_t dot = path.rfind('.') + 1;
  const std::string last = path.substr(dot);
  if (part == LoraPart::unet) return last == "to_out" ? path + ".0" : path;
  if (last == "to_q" || last == "to_k" || last == "to_v") return path.substr(0, dot) + last.substr(3) + "_proj";
  return last == "to_out" ? path.substr(0, dot) + "out_proj" : path;
}

/// A text encoder that peft saved alone has no part in its keys.
LoraPart part_of_peft(std::string_view path, LoraPart part) {
  const bool text = path.starts_with(kTextModel) || path.starts_with("encoder.layers.");
  return part == LoraPart::unet && text ? LoraPart::text_encoder : part;
}

std::string layer_in(LoraPart part, const std::string& path) {
  switch (part) {
    case LoraPart::text_encoder:
      return text_layer(kTextEncoderPrefix, path);
    case LoraPart::text_encoder_2:
      return text_layer(kTextEncoder2Prefix, path);
    case LoraPart::unet:
      break;
  }
  return path;
}

struct ForeignKind {
  std::string_view mark, name;
};

/// What marks the keys of adapters that are not read. LyCORIS' own LoHa and LoKr are; peft's have other rules of scale.
constexpr std::array kForeignKinds = {ForeignKind{".oft_", "OFT"}, ForeignKind{".on_input", "IA3"},
                                      ForeignKind{".w_norm", "Norm"}};
constexpr std::array kForeignPathKinds = {ForeignKind{".hada_", "LoHa in peft's naming"},
                                          ForeignKind{".lokr_", "LoKr in peft's naming"}};

template <size_t N>
std::optional<std::string_view> kind_in(const std::array<ForeignKind, N>& kinds, std::string_view key) {
  for (const ForeignKind& kind : kinds)
    if (key.find(kind.mark) != std::string_view::npos) return kind.name;
  return std::nullopt;
}

Result<LoraKey> parse_known(const std::string& key);

/// How many letters are to be put in, taken out or changed to make one of the other (Levenshtein).
size_t edits(std::string_view from, std::string_view to) {
  std::vector<size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < from.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < to.size(); ++j) {
      const size_t changed = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// The key with other ends such that it is known, of those at most half of whose end is new the nearest.
class NearestKey {
 public:
  explicit NearestKey(std::string_view key) : key_(key) {}

  std::optional<std::string> find() {
    for (const std::string_view prefix : {kUnetPrefix, kTextPrefix, kText1Prefix, kText2Prefix})
      for (const Suffix& suffix : kKohyaSuffixes) consider(prefix, suffix.text);
    for (const Prefix& prefix : kPathPrefixes)
      for (const Suffix& suffix : kPathSuffixes) consider(prefix.text, suffix.text);
    return nearest_;
  }

 private:
  /// Tries every place where the key's own beginning could end, up to two letters from the known one's length.
  void consider(std::string_view prefix, std::string_view suffix) {
    for (size_t at = key_.find_first_of("._"); at != std::string_view::npos; at = key_.find_first_of("._", at + 1)) {
      if (at + 1 + 2 < prefix.size() || at + 1 > prefix.size() + 2) continue;
      const size_t begin = edits(key_.substr(0, at + 1), prefix);
      if (begin > 2) continue;
      for (size_t end = key_.find('.', at); end != std::string_view::npos; end = key_.find('.', end + 1)) {
        const size_t edit_count = begin + edits(key_.substr(end), suffix);
        if (2 * (edit_count - begin) > suffix.size() || edit_count >= fewest_) continue;
        const std::string_view middle = end > at ? key_.substr(at + 1, end - at - 1) : std::string_view();
        const std::string known = fmt::format("{}{}{}", prefix, middle, suffix);
        if (middle.empty() || !parse_known(known)) continue;
        fewest_ = edit_count;
        nearest_ = known;
      }
    }
  }

  std::string_view key_;
  size_t fewest_ = std::numeric_limits<size_t>::max();
  std::optional<std::string> nearest_;
};

Result<LoraKey> parse_kohya(std::string_view key) {
  const auto parts = split(key, kKohyaSuffixes);
  if (!parts) return unknown_key(key);
  auto layer = layer_of_kohya_key(parts->first);
  if (!layer) return tl::unexpected(layer.error());
  return LoraKey{LoraNaming::kohya, parts->second, *std::move(layer)};
}

}  // namespace

std::string kohya_key(std::string_view layer, Architecture architecture) {
  const bool sdxl = architecture == Architecture::sdxl;
  const std::string path(path_in_part(layer));
  switch (part_of(layer)) {
    case LoraPart::text_encoder:
      return std::string(sdxl ? kText1Prefix : kTextPrefix) + underscored(path);
    case LoraPart::text_encoder_2:
      return std::string(kText2Prefix) + underscored(path);
    case LoraPart::unet:
      break;
  }
  return std::string(kUnetPrefix) + underscored(sdxl ? block_path(path).value_or(path) : path);
}

Result<std::string> layer_of_kohya_key(std::string_view key) {
  for (const std::string_view prefix : {kTextPrefix, kText1Prefix})
    if (key.starts_with(prefix)) return text_layer(kTextEncoderPrefix, dotted(key.substr(prefix.size())));
  if (key.starts_with(kText2Prefix)) return text_layer(kTextEncoder2Prefix, dotted(key.substr(kText2Prefix.size())));
  if (!key.starts_with(kUnetPrefix)) return unknown_key(key);
  const std::string path = dotted(key.substr(kUnetPrefix.size()));
  if (!is_block_path(path)) return path;
  const auto module = module_path(path);
  if (!module) return unknown_key(key);
  return *module;
}

namespace {

Result<LoraKey> parse_known(const std::string& key) {
  if (key.starts_with("lora_")) return parse_kohya(key);
  const auto parts = split(key, kPathSuffixes);
  if (!parts) return unknown_key(key);
  for (const Prefix& prefix : kPathPrefixes) {
    if (!key.starts_with(prefix.text)) continue;
    const std::string path{parts->first.substr(std::min(prefix.text.size(), parts->first.size()))};
    const LoraPart part = prefix.naming == LoraNaming::peft ? part_of_peft(path, prefix.part) : prefix.part;
    return LoraKey{prefix.naming, parts->second, layer_in(part, modern_path(path, part))};
  }
  return unknown_key(key);
}

}  // namespace

std::string_view name_of(LoraFactor factor) {
  for (const Suffix& suffix : kKohyaSuffixes)
    if (suffix.factor == factor) return suffix.text.substr(1, suffix.text.find('.', 1) - 1);
  return {};
}

std::optional<std::string_view> foreign_kind(std::string_view key) {
  if (const auto kind = kind_in(kForeignKinds, key)) return kind;
  return key.starts_with("lora_") ? std::nullopt : kind_in(kForeignPathKinds, key);
}

Result<LoraKey> parse_lora_key(const std::string& key) {
  if (const auto kind = foreign_kind(key))
    return fail(fmt::format("LoRA key '{}' is of the kind {}; LoRA, LoCon, DoRA and LyCORIS' LoHa and LoKr are read",
                            key, *kind));
  auto parsed = parse_known(key);
  if (parsed) return parsed;
  const std::string unknown = unknown_key(key).value().message;
  const auto nearest = NearestKey(key).find();
  return fail(nearest ? fmt::format("{}; the nearest that is known is '{}'", unknown, *nearest) : unknown);
}

}  // namespace atelier::diffusion
