// Writing a model that differs from its base in some weights, as fusing makes it, in either layout.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>
#include <string>

#include "diffusion/base_model.h"
#include "diffusion/safetensors_write.h"
#include "diffusion/weight_changes.h"

namespace atelier::diffusion {

struct WriteOptions {
  std::optional<ModelLayout> layout{};    ///< absent: layout_named() by the path
  std::optional<at::ScalarType> dtype{};  ///< of all weights; absent: each as in the base
  std::string title{};                    ///< of a new single file, for its metadata
  Metadata metadata{};                    ///< what weight files say besides; nothing is said where a file is copied
  /// The same of what is known late, and a single file's modelspec.hash_sha256 is told. A folder's files get it without
  /// a hash of theirs.
  std::optional<LateMetadata> late{};
};

/// `….safetensors` is one file in the original layout, all else a diffusers folder.
ModelLayout layout_named(const std::filesystem::path& path);

/// The weights as changes, each in place of the stored one.
WeightChanges replaced_by(const WeightMap& weights);
ModelChanges replaced_by(const PartWeights& parts);

/// Writes `base` with the changes to `path`, a new name that the caller renames. A change makes a weight of the base's
/// shape; what it makes is cast to the base's dtype, or to options.dtype. Weights are made and written one after
/// another, on all of libtorch's threads: memory is that of some weights and not of a model.
///
/// Where the base has the same layout, what is not changed stays as it is, byte for byte: metadata, keys that are no
/// weights, files of a folder, but for two things: a model_index.json that names a safety checker or a feature
/// extractor is written without them, since they are no part of the model here, and weights are named without `.fp16.`,
/// so that diffusers finds them. A prediction type that the base was opened with goes into what is written.
///
/// In another layout, which a file that has the UNet as running averages alone counts as: a folder gets configurations
/// that diffusers 0.42.1 loads and the base's tokenizers; a file gets modelspec metadata, for SDXL's v models the key
/// `v_pred`, and for SD 2.x a copy of the last text block, since the layout has one more than the model uses. The same
/// input gives the same bytes. Errors: a folder that is not empty; a change of a weight that the base does not have;
/// one that makes another shape or numbers that are not finite; a folder to be made of a file without tokenizers; the
/// disk's.
Result<void> write_model(const BaseModel& base, const ModelChanges& changes, const std::filesystem::path& path,
                         const WriteOptions& options = {});

}  // namespace atelier::diffusion
