// The names of a LoRA layer in files: kohya's (underscores; SDXL's UNet numbered in blocks), and what diffusers and
// peft put around the module path.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "diffusion/config.h"
#include "diffusion/error.h"

namespace atelier::diffusion {

/// kohya's key of a layer of Lora::layers, without the part after the dot, as his trainer names it for that
/// architecture: `lora_unet_down_blocks_0_attentions_0_proj_in`, `lora_te_text_model_…`; SDXL's
/// `lora_unet_input_blocks_4_1_proj_in`, `lora_te1_text_model_…`, `lora_te2_text_model_…`.
std::string kohya_key(std::string_view layer, Architecture architecture);

/// The layer of a kohya key in either numbering, or an Error that names it. No model is needed: the words of module
/// paths divide the key in one way only.
Result<std::string> layer_of_kohya_key(std::string_view key);

enum class LoraNaming { kohya, diffusers, peft };
/// What a tensor is in its layer: LoRA's factors, LoCon's core in Tucker's form (mid), DoRA's magnitude, and LyCORIS'.
enum class LoraFactor {
  down,
  up,
  alpha,
  mid,
  magnitude,
  hada_w1_a,
  hada_w1_b,
  hada_w2_a,
  hada_w2_b,
  hada_t1,
  hada_t2,
  lokr_w1,
  lokr_w1_a,
  lokr_w1_b,
  lokr_w2,
  lokr_w2_a,
  lokr_w2_b,
  lokr_t2
};

/// Its name in files: "lora_down", "hada_w1_a" …
std::string_view name_of(LoraFactor factor);

/// What one key of a LoRA file is.
struct LoraKey {
  LoraNaming naming;
  LoraFactor factor;
  std::string layer;  ///< as in Lora::layers
};

/// Takes a key of any of the namings apart, those of diffusers before 0.17 too (`attn1.processor.to_q_lora`). Errors: a
/// key of none of them, with the nearest that is known; of kinds of adapters that are not read (OFT, IA3, peft's own
/// LoHa and LoKr, …), by their names.
Result<LoraKey> parse_lora_key(const std::string& key);

/// The kind of adapter that such a key is of, where it is known and not read.
std::optional<std::string_view> foreign_kind(std::string_view key);

}  // namespace atelier::diffusion
