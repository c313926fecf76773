// Which layers a LoRA training adapts, and with which ranks.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "diffusion/lora.h"

namespace atelier::diffusion {

/// Ranks and alphas, kohya's network_dim, network_alpha, conv_dim and conv_alpha.
struct LoraShape {
  int64_t rank = 32;
  double alpha = 32;
  int64_t conv_rank = 0;  ///< of convolutions with a kernel over 1x1; 0: they are not adapted, or, named, as all others
  double conv_alpha = 1;
};

/// The layers meant by the patterns (see name_patterns.h), in their order. Without patterns: what kohya's LoRA adapts —
/// attention, projections and feed-forward of the UNet, all of the text encoders — and with a conv_rank what its LoCon
/// adds to it: all of the UNet's resnets, down- and upsamplers.
/// Errors: a pattern that matches nothing, or that is none.
Result<std::vector<LoraTarget>> select_lora_targets(std::span<const LoraTarget> layers, const LoraShape& shape,
                                                    std::span<const std::string> patterns = {});

/// initial_lora() with the rank and alpha of each layer's kind.
Lora initial_lora(std::span<const LoraTarget> targets, const LoraShape& shape, const UniformSource& uniform);

}  // namespace atelier::diffusion
