#include "diffusion/lora_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "diffusion/lora_numbering.h"

namespace atelier::diffusion {
namespace {

constexpr double kGreatestWeight = 10;  // beyond is a typing mistake: pictures are noise long before
constexpr std::array<std::string_view, 6> kNamedParts = {"in", "mid", "out", "te", "te1", "te2"};
constexpr std::array<std::string_view, 3> kModuleBlocks = {"down_blocks", "mid_block", "up_blocks"};
constexpr std::array<std::string_view, 3> kOriginalBlocks = {"input_blocks", "middle_block", "output_blocks"};

/// Whether `path` is `block` or within it: `down_blocks.1` holds `down_blocks.1.resnets.0`, not `down_blocks.10`.
bool is_within(std::string_view path, std::string_view block) {
  return path.starts_with(block) && (path.size() == block.size() || path[block.size()] == '.');
}

bool is_named_part(std::string_view block) { return std::ranges::find(kNamedParts, block) != kNamedParts.end(); }

/// A block by its number, without anything that makes it a pattern.
bool is_path_of(const std::array<std::string_view, 3>& blocks, std::string_view block) {
  return block.find_first_of("*?[") == std::string_view::npos &&
         std::ranges::any_of(blocks, [&](std::string_view first) { return is_within(block, first); });
}

bool is_in_named_part(std::string_view layer, std::string_view part) {
  const LoraPart of = part_of(layer);
  if (part == "te1") return of == LoraPart::text_encoder;
  if (part == "te2") return of == LoraPart::text_encoder_2;
  if (part == "te") return of != LoraPart::unet;
  if (of != LoraPart::unet) return false;
  const bool middle = is_within(layer, "mid_block");
  const bool behind = is_within(layer, "up_blocks") || is_within(layer, "conv_out");
  if (part == "mid") return middle;
  return part == "out" ? behind : !middle && !behind;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n\r") - first + 1);
}

/// Where the entry that begins at `text` ends: at the next comma, but those of a regular expression are its own.
size_t entry_end(std::string_view text) {
  size_t from = 0;
  const auto first = text.find_first_not_of(" \t\n\r");
  if (first != std::string_view::npos && text[first] == '/') {
    const auto closing = text.find("/=", first + 1);
    if (closing != std::string_view::npos) from = closing;
  }
  return std::min(text.find(',', from), text.size());
}

Result<double> weight_of_text(std::string_view entry, std::string_view text) {
  double weight = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(weight))
    return fail(fmt::format("block weight '{}': '{}' is no number", entry, text));
  if (weight < 0 || weight > kGreatestWeight)
    return fail(fmt::format("block weight '{}': {} is out of range, weights of blocks go from 0 to {}", entry, text,
                            kGreatestWeight));
  return weight;
}

}  // namespace

bool BlockWeights::Entry::means(std::string_view layer) const {
  if (is_named_part(block)) return is_in_named_part(layer, block);
  if (is_path_of(kModuleBlocks, block)) return is_within(layer, block);
  if (is_path_of(kOriginalBlocks, block)) {
    const auto original = block_path(layer);
    return original && is_within(*original, block);
  }
  return pattern.match(layer);
}

Result<BlockWeights> BlockWeights::parse(std::string_view text) {
  BlockWeights weights;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t length = entry_end(text.substr(begin));
    const std::string_view entry = trimmed(text.substr(begin, length));
    begin += length + 1;
    const auto equals = entry.rfind('=');  // a regular expression may hold others
    if (equals == std::string_view::npos || equals == 0)
      return fail(fmt::format("block weight '{}': write block=weight, such as in=0,mid=1,out=0.5", entry));
    const std::string block(trimmed(entry.substr(0, equals)));
    const auto weight = weight_of_text(entry, trimmed(entry.substr(equals + 1)));
    if (!weight) return tl::unexpected(weight.error());
    if (block.starts_with('!'))
      return fail(fmt::format("block weight '{}': a pattern with ! means no layers; give those that it leaves", entry));
    if (std::ranges::any_of(weights.entries_, [&](const Entry& other) { return other.block == block; }))
      return fail(fmt::format("block weight '{}': '{}' has a weight already", entry, block));
    auto pattern = NamePatterns::create({&block, 1});
    if (!pattern) return fail(fmt::format("block weight '{}': {}", entry, pattern.error().message));
    weights.entries_.push_back({.block = block, .weight = *weight, .pattern = *std::move(pattern)});
  }
  return weights;
}

double BlockWeights::of(std::string_view layer) const {
  const auto last = std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry& e) { return e.means(layer); });
  return last == entries_.rend() ? 1 : last->weight;
}

Result<void> BlockWeights::check_used_by(const Lora& lora) const {
  for (const Entry& entry : entries_) {
    const auto meant = [&](const auto& layer) { return entry.means(layer.first); };
    if (is_named_part(entry.block) || lora.layers.empty() || std::ranges::any_of(lora.layers, meant)) continue;
    return fail(fmt::format("block weight '{}={}': the LoRA has no such layer; its layers are such as '{}'",
                            entry.block, entry.weight, lora.layers.begin()->first));
  }
  return {};
}

}  // namespace atelier::diffusion
