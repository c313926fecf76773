// LoRA files, written and read in kohya's naming, diffusers' and peft's.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "diffusion/lora.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {

/// What a LoRA file says of itself. Deterministic: no time unless one is given, no captions, no folder names.
struct LoraMetadata {
  std::string title{};                ///< modelspec.title
  std::string resolution{};           ///< modelspec.resolution, "512x512"; empty: not said
  std::optional<std::string> date{};  ///< modelspec.date, ISO 8601; only from SOURCE_DATE_EPOCH
  Metadata more{};                    ///< under the keys that the file does not say itself
};

/// A LoRA as the tensors and the metadata of a safetensors file.
struct LoraFile {
  WeightMap tensors;
  Metadata metadata;
};

/// What becomes of alphas that differ between layers.
enum class LoraAlphas {
  /// All layers get the one of largest size, and B is multiplied by the rest of the layer's scale, alpha_i / alpha:
  /// exact where that is a power of two (alphas 16, 8, 4 …), else rounded once. diffusers 0.42.1 reads unequal alphas
  /// of some files wrongly, so this is what is written for other tools.
  one,
  /// Each layer keeps its own, and its factors to the bit.
  keep
};

/// The LoRA in kohya's naming (`lora_unet_….lora_down.weight`, `….lora_up.weight`, `….alpha`) for its base's kind (SD
/// 1.x where it says none; SDXL's UNet in `input_blocks` numbering). Factors are computed in float32 and rounded once
/// to `dtype`, here and below; alphas are float32.
LoraFile to_kohya(const Lora& lora, const LoraMetadata& metadata, LoraAlphas alphas = LoraAlphas::one,
                  at::ScalarType dtype = at::kFloat);

/// The LoRA as diffusers saves one (`unet.….lora_A.weight`, `text_encoder.text_model.….lora_B.weight`), its
/// ranks and alphas in the metadata `lora_adapter_metadata`.
LoraFile to_diffusers(const Lora& lora, const LoraMetadata& metadata, LoraAlphas alphas = LoraAlphas::one,
                      at::ScalarType dtype = at::kFloat);

/// What peft saves into a folder: adapter_model.safetensors and adapter_config.json.
struct PeftAdapter {
  LoraFile file;
  nlohmann::json config;
};

/// The LoRA as peft saves it: one adapter for each model that it changes, since peft adapts one model. Names
/// are those of the modules in transformers 5.
std::map<LoraPart, PeftAdapter> to_peft(const Lora& lora, const LoraMetadata& metadata,
                                        LoraAlphas alphas = LoraAlphas::one, at::ScalarType dtype = at::kFloat);

/// "unet", "text_encoder", "text_encoder_2": the models' folders in a pipeline of diffusers, and what its LoRA keys
/// begin with.
std::string_view name_of(LoraPart part);

/// The LoRA in `file`, whichever of the three namings it is in, float32; LoCon in Tucker's form as well. Errors name
/// the key that is unknown (with the nearest known), unpaired, doubled or of the wrong shape, and the layer that is no
/// LoRA (LoHa, LoKr, DoRA: see lora_updates.h). Alpha is the file's (kohya's `.alpha`; diffusers'
/// `lora_adapter_metadata`), `adapter_config`'s `lora_alpha` for peft, and else the rank, as diffusers takes it;
/// `alpha_pattern` and `use_rslora` count. A peft file without its adapter_config is an Error, since peft's own default
/// is another. The base's kind is the metadata's, or else what second text encoder, block numbers and the text's width
/// tell.
Result<Lora> lora_of_file(const LoraFile& file, const nlohmann::json* adapter_config = nullptr);

/// The LoRA in the adapters that peft saved of a pipeline's models. Which model a layer is of is said by the map, where
/// its key does not. Errors as of lora_of_file(), with the model's name before them.
Result<Lora> lora_of_peft(const std::map<LoraPart, PeftAdapter>& adapters);

/// Reads a `.safetensors` file, and `adapter_config.json` beside it where the naming is peft's. Errors begin with the
/// path; a NaN or infinite weight is one too.
Result<Lora> read_lora(const std::filesystem::path& path);

}  // namespace atelier::diffusion
