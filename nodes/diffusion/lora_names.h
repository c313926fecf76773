// The three names of a LoRA layer: Atelier's (the module path), kohya's (underscores), and what diffusers and peft put
// around the path.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "diffusion/error.h"

namespace atelier::diffusion {

/// kohya's key of a layer, without the part after the dot: `lora_unet_down_blocks_0_attentions_0_proj_in`.
std::string kohya_key(std::string_view layer);

/// The layer of a kohya key, or an Error that names it. No model is needed: the words of diffusers' module paths
/// divide the key in one way only.
Result<std::string> layer_of_kohya_key(std::string_view key);

enum class LoraNaming { kohya, diffusers, peft };
enum class LoraFactor { down, up, alpha };

/// What one key of a LoRA file is.
struct LoraKey {
  LoraNaming naming;
  LoraFactor factor;
  std::string layer;  ///< as in Lora::layers
};

/// Takes a key of any of the namings apart. Errors: a key of none of them; kohya's `input_blocks` numbering of SDXL.
Result<LoraKey> parse_lora_key(const std::string& key);

}  // namespace atelier::diffusion
