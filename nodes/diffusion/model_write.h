// Writing a model that differs from its base in some weights, as fusing makes it.
#pragma once

#include <filesystem>

#include "diffusion/base_model.h"

namespace atelier::diffusion {

/// The weights that differ from the base; an empty map leaves that part as it is.
struct ChangedWeights {
  WeightMap unet;
  WeightMap text_encoder;
};

/// Writes `base` with other weights to `folder` as a diffusers folder: the files of base.files() byte for byte, but for
/// the changed parts, whose weights files are written again with the base's metadata. A changed part holds all tensors
/// of its file, in the base's dtypes and shapes: lora_fuse.h's fuse() makes such maps, accumulated in float32 and cast
/// once. `folder` is made if need be and has to be empty; the caller gives a temporary name and renames it.
/// The same input gives the same bytes. A model_index.json that names a safety checker or a feature extractor is
/// written without them, since they are no part of the model here. Errors: a folder that is not empty; a tensor that is
/// missing, new, or of another dtype or shape, named; the disk's.
Result<void> write_model(const BaseModel& base, const ChangedWeights& changed, const std::filesystem::path& folder);

}  // namespace atelier::diffusion
