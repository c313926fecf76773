// Weights of the blocks of a LoRA: how much of each part of the UNet and of the text encoders counts in a sum.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "diffusion/lora.h"
#include "diffusion/name_patterns.h"

namespace atelier::diffusion {

/// A list `block=weight,…`, such as `in=0,mid=1,out=0.5`. A block is one of
///
///     in, mid, out            the UNet before, in and behind its middle: down_blocks, conv_in and the embeddings of
///                             time; mid_block; up_blocks and conv_out
///     te, te1, te2            all text encoders, the first, SDXL's second
///     down_blocks.1, mid_block.attentions.0, …       a block or a part of it as diffusers counts
///     input_blocks.4, middle_block.1, …              the same as the original layout and kohya's tools count
///     attn2, to_q, *ff*, /.*conv[12]/                layers by a pattern of their name (name_patterns.h)
///
/// A layer that several entries mean has the weight of the last one; one that none means has 1.
class BlockWeights {
 public:
  /// Weight 1 for every layer.
  BlockWeights() = default;

  /// Errors: an entry that is no `block=weight`; a weight that is no number or outside of [0, 10]; a block that is
  /// given twice; a pattern that is none.
  static Result<BlockWeights> parse(std::string_view text);

  /// The weight of a layer, named as in Lora::layers.
  double of(std::string_view layer) const;

  /// An Error naming the first entry that means no layer of the LoRA, which is a mistake in the entry. `in`, `mid`,
  /// `out` and the text encoders may be absent: few LoRAs adapt them all.
  Result<void> check_used_by(const Lora& lora) const;

 private:
  struct Entry {
    std::string block;  // as it was given
    double weight = 1;
    NamePatterns pattern{};  // used where the block is none by name
    bool means(std::string_view layer) const;
  };
  std::vector<Entry> entries_;
};

}  // namespace atelier::diffusion
