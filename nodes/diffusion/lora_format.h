// LoRA files: written in kohya's naming, read in kohya's, diffusers' and peft's.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "diffusion/lora.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {

/// What a LoRA file says of itself. Deterministic: no time unless one is given, no captions, no folder names.
struct LoraMetadata {
  std::string title{};                ///< modelspec.title
  std::string resolution{};           ///< modelspec.resolution, "512x512"; empty: not said
  std::optional<std::string> date{};  ///< modelspec.date, ISO 8601; only from SOURCE_DATE_EPOCH
};

/// A LoRA as the tensors and the metadata of a safetensors file.
struct LoraFile {
  WeightMap tensors;
  Metadata metadata;
};

/// The LoRA in kohya's naming (`lora_unet_….lora_down.weight`, `….lora_up.weight`, `….alpha`) for its base's kind (SD
/// 1.x where it says none), float32. All layers get one alpha, the largest, and the rest of a layer's scale is folded
/// into B, since diffusers 0.42.1 reads unequal alphas wrongly; where all are equal already nothing is changed.
LoraFile to_kohya(const Lora& lora, const LoraMetadata& metadata);

/// The LoRA in `file`, whichever of the three namings it is in, float32. Errors name the key that is unknown, unpaired,
/// doubled or of the wrong shape. Alpha is the file's (kohya's `.alpha`; diffusers' `lora_adapter_metadata`),
/// `adapter_config`'s `lora_alpha` for peft, and else the rank, as diffusers takes it; `alpha_pattern` and `use_rslora`
/// count. A peft file without its adapter_config is an Error, since peft's own default is another. The base's kind is
/// the metadata's, or else what second text encoder, block numbers and the text's width tell.
Result<Lora> lora_of_file(const LoraFile& file, const nlohmann::json* adapter_config = nullptr);

/// Reads a `.safetensors` file, and `adapter_config.json` beside it where the naming is peft's. Errors begin with the
/// path; a NaN or infinite weight is one too.
Result<Lora> read_lora(const std::filesystem::path& path);

}  // namespace atelier::diffusion
