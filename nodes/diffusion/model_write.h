// Writing a model that differs from its base in some weights, as fusing makes it, in either layout.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>
#include <string>

#include "diffusion/base_model.h"

namespace atelier::diffusion {

struct WriteOptions {
  std::optional<ModelLayout> layout{};    ///< absent: layout_named() by the path
  std::optional<at::ScalarType> dtype{};  ///< of all weights; absent: each as in the base
  std::string title{};                    ///< of a new single file, for its metadata
};

/// `….safetensors` is one file in the original layout, all else a diffusers folder.
ModelLayout layout_named(const std::filesystem::path& path);

/// Writes `base` with other weights to `path`, a new name that the caller renames. A changed part holds all weights of
/// that part, in the base's shapes, in the base's dtypes or in options.dtype: lora_fuse.h's fuse() makes such maps.
///
/// Where the base has the same layout, what is not changed stays as it is, byte for byte: metadata, keys that are no
/// weights, files of a folder, but for two things: a model_index.json that names a safety checker or a feature
/// extractor is written without them, since they are no part of the model here, and weights are named without `.fp16.`,
/// so that diffusers finds them. A prediction type that the base was opened with goes into what is written.
///
/// In another layout, which a file that has the UNet as running averages alone counts as: a folder gets configurations
/// that diffusers 0.42.1 loads and the base's tokenizers; a file gets modelspec metadata, for SDXL's v models the key
/// `v_pred`, and for SD 2.x a copy of the last text block, since the layout has one more than the model uses. The same
/// input gives the same bytes. Errors: a folder that is not empty; a weight that is missing, new, or of another dtype
/// or shape, named; a folder to be made of a file without tokenizers; the disk's.
Result<void> write_model(const BaseModel& base, const PartWeights& changed, const std::filesystem::path& path,
                         const WriteOptions& options = {});

}  // namespace atelier::diffusion
