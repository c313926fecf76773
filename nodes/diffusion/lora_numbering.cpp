#include "diffusion/lora_numbering.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <vector>

namespace atelier::diffusion {
namespace {

/// A resolution takes three numbers: down, two residual blocks and the downsampler; up, three residual blocks.
constexpr int64_t kBlocksPerLevel = 3;
constexpr int64_t kGreatestNumber = 999;  // of a block; a file may say anything
constexpr std::string_view kResnetSlot = "0", kAttentionSlot = "1";
/// Behind residual block and attention, which every up block of SDXL that has an upsampler has.
constexpr std::string_view kUpsamplerSlot = "2";

struct Pair {
  std::string_view module, block;
};

/// Layers outside of the numbered blocks.
constexpr std::array kSingles = {Pair{"conv_in", "input_blocks.0.0"},
                                 Pair{"conv_out", "out.2"},
                                 Pair{"time_embedding.linear_1", "time_embed.0"},
                                 Pair{"time_embedding.linear_2", "time_embed.2"},
                                 Pair{"add_embedding.linear_1", "label_emb.0.0"},
                                 Pair{"add_embedding.linear_2", "label_emb.0.2"}};

/// Layers of a residual block.
constexpr std::array kResnetLayers = {Pair{"conv1", "in_layers.2"}, Pair{"conv2", "out_layers.3"},
                                      Pair{"time_emb_proj", "emb_layers.1"}, Pair{"conv_shortcut", "skip_connection"}};

/// The parts of the middle block.
constexpr std::array kMiddle = {Pair{"resnets.0", "0"}, Pair{"attentions.0", "1"}, Pair{"resnets.1", "2"}};

using Words = std::vector<std::string_view>;

Words words_of(std::string_view path) {
  Words words;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    words.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::string joined(std::span<const std::string_view> words) { return fmt::format("{}", fmt::join(words, ".")); }

std::optional<int64_t> number_of(std::string_view word) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size() || number < 0 || number > kGreatestNumber)
    return std::nullopt;
  return number;
}

template <size_t N>
std::optional<std::string> counterpart(const std::array<Pair, N>& pairs, std::string_view name,
                                       std::string_view Pair::*from, std::string_view Pair::*to) {
  for (const Pair& pair : pairs)
    if (pair.*from == name) return std::string(pair.*to);
  return std::nullopt;
}

/// What stands behind the slot: the names of a residual block's layers differ, those of attention do not.
std::optional<std::string> block_inner(std::string_view kind, std::span<const std::string_view> rest) {
  if (kind == "attentions") return joined(rest);
  return counterpart(kResnetLayers, joined(rest), &Pair::module, &Pair::block);
}

/// `down_blocks.1.attentions.0.proj_in`: block 1 of its kind, part "attentions", number 0 within it, layer `proj_in`.
std::optional<std::string> numbered_block(const Words& words) {
  if (words.size() < 5) return std::nullopt;
  const bool down = words[0] == "down_blocks";
  const auto level = number_of(words[1]), index = number_of(words[3]);
  if (!level || !index || *index >= (down ? kBlocksPerLevel - 1 : kBlocksPerLevel)) return std::nullopt;
  const std::string_view kind = words[2], layer = words[4];
  const int64_t first = kBlocksPerLevel * *level;
  if (kind == "downsamplers" && layer == "conv") return fmt::format("input_blocks.{}.0.op", first + kBlocksPerLevel);
  if (kind == "upsamplers" && layer == "conv")
    return fmt::format("output_blocks.{}.{}.conv", first + kBlocksPerLevel - 1, kUpsamplerSlot);
  if (kind != "resnets" && kind != "attentions") return std::nullopt;
  const auto inner = block_inner(kind, std::span(words).subspan(4));
  if (!inner) return std::nullopt;
  return fmt::format("{}.{}.{}.{}", down ? "input_blocks" : "output_blocks", first + *index + (down ? 1 : 0),
                     kind == "resnets" ? kResnetSlot : kAttentionSlot, *inner);
}

std::optional<std::string> middle_block(const Words& words) {
  if (words.size() < 4) return std::nullopt;
  const auto number = counterpart(kMiddle, joined(std::span(words).subspan(1, 2)), &Pair::module, &Pair::block);
  const auto inner = block_inner(words[1], std::span(words).subspan(3));
  if (!number || !inner) return std::nullopt;
  return fmt::format("middle_block.{}.{}", *number, *inner);
}

/// The module of a slot in block `index` of its level, with the layer behind it.
std::optional<std::string> module_inner(std::string_view slot, int64_t index, std::span<const std::string_view> rest) {
  if (slot == kAttentionSlot) return fmt::format("attentions.{}.{}", index, joined(rest));
  const auto layer = counterpart(kResnetLayers, joined(rest), &Pair::block, &Pair::module);
  if (slot != kResnetSlot || !layer) return std::nullopt;
  return fmt::format("resnets.{}.{}", index, *layer);
}

std::optional<std::string> module_of_numbered(const Words& words) {
  if (words.size() < 4) return std::nullopt;
  const bool down = words[0] == "input_blocks";
  const auto number = number_of(words[1]);
  if (!number || (down && *number == 0)) return std::nullopt;
  const int64_t counted = *number - (down ? 1 : 0);
  const int64_t level = counted / kBlocksPerLevel, index = counted % kBlocksPerLevel;
  const std::string_view last = words[3];
  if (down && last == "op") return fmt::format("down_blocks.{}.downsamplers.0.conv", level);
  if (!down && last == "conv") return fmt::format("up_blocks.{}.upsamplers.0.conv", level);
  const auto inner = module_inner(words[2], index, std::span(words).subspan(3));
  if (!inner) return std::nullopt;
  return fmt::format("{}.{}.{}", down ? "down_blocks" : "up_blocks", level, *inner);
}

std::optional<std::string> module_of_middle(const Words& words) {
  if (words.size() < 3) return std::nullopt;
  const auto part = counterpart(kMiddle, words[1], &Pair::block, &Pair::module);
  if (!part) return std::nullopt;
  const std::string rest = joined(std::span(words).subspan(2));
  if (part->starts_with("attentions")) return fmt::format("mid_block.{}.{}", *part, rest);
  const auto layer = counterpart(kResnetLayers, rest, &Pair::block, &Pair::module);
  if (!layer) return std::nullopt;
  return fmt::format("mid_block.{}.{}", *part, *layer);
}

}  // namespace

std::optional<std::string> block_path(std::string_view module_path) {
  if (auto single = counterpart(kSingles, module_path, &Pair::module, &Pair::block)) return single;
  const Words words = words_of(module_path);
  if (words[0] == "mid_block") return middle_block(words);
  if (words[0] == "down_blocks" || words[0] == "up_blocks") return numbered_block(words);
  return std::nullopt;
}

std::optional<std::string> module_path(std::string_view block_path) {
  if (auto single = counterpart(kSingles, block_path, &Pair::block, &Pair::module)) return single;
  const Words words = words_of(block_path);
  if (words[0] == "middle_block") return module_of_middle(words);
  if (words[0] == "input_blocks" || words[0] == "output_blocks") return module_of_numbered(words);
  return std::nullopt;
}

}  // namespace atelier::diffusion
