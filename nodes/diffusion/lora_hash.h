// The hashes by which WebUI and its extensions know a LoRA file, as kohya's trainer computes them
// (precalculate_safetensors_hashes in his library/train_util.py).
#pragma once

#include "diffusion/lora_format.h"

namespace atelier::diffusion {

struct KohyaHashes {
  std::string model;   ///< SHA-256 of the bytes behind the header, 64 hexadecimal digits: metadata does not change it
  std::string legacy;  ///< SHA-256 of bytes 0x100000 to 0x110000 of a file with `ss_` metadata alone, 8 digits
};

/// The hashes of the file that write_safetensors() makes of these. Where the file is shorter than 1 MiB the legacy hash
/// is that of nothing, as it is kohya's.
KohyaHashes kohya_hashes(const LoraFile& file);

/// Writes them into the metadata as `sshs_model_hash` and `sshs_legacy_hash`. Whoever changes the tensors afterwards
/// calls it again.
void add_kohya_hashes(LoraFile& file);

}  // namespace atelier::diffusion
