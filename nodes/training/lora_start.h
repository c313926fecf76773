// training: the LoRA that a training starts from: which layers it has, and their first factors.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "diffusion/lora_targets.h"
#include "diffusion/text_encoders.h"
#include "diffusion/unet.h"

namespace atelier {

struct LoraPlan {
  diffusion::LoraShape shape;
  std::vector<std::string> patterns = {};  // see diffusion/name_patterns.h; empty: the usual layers
  bool unet = true, text_encoders = false;
};

// The layers of the parts that are trained. `text` may be null where no text encoder is. Errors: those of
// diffusion::select_lora_targets(); no layer at all.
Expected<std::vector<diffusion::LoraTarget>> chosen_layers(const diffusion::UNet& unet,
                                                           const diffusion::TextEncoders* text, const LoraPlan& plan);

// A drawn by (seed, base, layer, rank) alone, B zero, on the CPU.
diffusion::Lora starting_lora(std::span<const diffusion::LoraTarget> targets, const diffusion::LoraShape& shape,
                              std::int64_t seed, const Digest& base);

// `start` with the factors of `known` in place of its own, and with what `known` has besides in the parts that are
// trained. `left_out` counts the layers of `known` in other parts.
struct ContinuedLora {
  diffusion::Lora lora;
  std::size_t left_out = 0;
};
ContinuedLora continued(diffusion::Lora start, const diffusion::Lora& known, const LoraPlan& plan);

}  // namespace atelier
