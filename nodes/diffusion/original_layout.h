// The weights that a model consists of, by diffusers' names, and what the original layout of a single checkpoint file
// calls each of them. One list serves reading, writing, and telling what is missing or not known.
//
// The original layouts: CompVis/stable-diffusion, Stability-AI/stablediffusion and Stability-AI/generative-models; the
// correspondence is that of diffusers' convert_diffusers_to_original_stable_diffusion.py and …_sdxl.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <vector>

#include "diffusion/config.h"

namespace atelier::diffusion {

/// The parts of a model that have weights, and in SDXL all of them.
enum class ModelPart { unet, vae, text_encoder, text_encoder_2 };

/// The part's folder in a diffusers folder: "unet", "vae", "text_encoder", "text_encoder_2".
std::string folder_name(ModelPart part);

/// How a file holds a weight.
enum class StoredForm {
  same,        ///< as diffusers has it
  pointwise,   ///< a linear layer as a 1x1 convolution, or in files of some tools as itself
  transposed,  ///< a matrix that is multiplied from the right
  packed_q,    ///< the first third of the rows of one tensor for queries, keys and values
  packed_k,
  packed_v
};

/// Whether the tensor is the queries', keys' and values' in one.
constexpr bool is_packed(StoredForm form) { return form >= StoredForm::packed_q; }

/// One weight of a part and where it lies.
struct WeightPlace {
  std::string name;                    ///< diffusers' and transformers' name, as published folders have it
  std::string key;                     ///< in the file
  StoredForm form = StoredForm::same;  ///< in the file
  std::vector<std::string> others{};   ///< keys that files may have instead of `key`, in the same form
};

/// All weights of a part as a single file of the original layout holds them; keys without the part's prefix.
std::vector<WeightPlace> original_unet(const UNetConfig& config);
std::vector<WeightPlace> original_vae(const VaeConfig& config);
/// CLIP as transformers has it: SD 1.x, and the first encoder of SDXL.
std::vector<WeightPlace> original_clip(const TextConfig& config);
/// OpenCLIP's own names: SD 2.x, whose file has one block more that is never used, and the second encoder of SDXL.
std::vector<WeightPlace> original_open_clip(const TextConfig& config);

/// The same weights as a diffusers folder holds them: the key is the name, and older files' names are among the others.
std::vector<WeightPlace> in_folder(std::vector<WeightPlace> original);

/// What stands before the keys of a part in a single file: "model.diffusion_model.", …
std::string original_prefix(ModelPart part, Architecture architecture);

/// What stands before the UNet's running averages (LDM's LitEma) in a single file, whose keys have no dots.
inline constexpr std::string_view kAveragesPrefix = "model_ema.diffusion_model";
/// What such a file calls the average of a weight, without that prefix: "input_blocks00weight".
std::string averaged_key(std::string_view key);

/// The weight as diffusers has it, a view of what the file holds.
at::Tensor as_named(const at::Tensor& stored, const WeightPlace& place);
/// What a new file holds of a weight: the inverse of as_named(). Not for the packed forms, whose three parts are
/// joined.
at::Tensor as_stored(const at::Tensor& weight, const WeightPlace& place);

}  // namespace atelier::diffusion
