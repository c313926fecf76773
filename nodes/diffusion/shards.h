// Weights in several files: what diffusers calls a sharded checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>

#include "diffusion/error.h"

namespace atelier::diffusion {

/// Splits each weight file of a diffusers folder that is larger than `max_bytes` into shards
/// STEM-00001-of-00003.safetensors … with STEM.safetensors.index.json beside them, as diffusers' save_pretrained names
/// them; the file is removed. Tensors go to shards in the order of their names, a shard's tensors together at most
/// max_bytes less its header; parts that are shards already stay as they are. diffusers reads shards of UNet and VAE,
/// transformers those of text encoders. Errors: a single tensor that is larger; the disk's.
Result<void> shard_folder(const std::filesystem::path& folder, uint64_t max_bytes);

}  // namespace atelier::diffusion
