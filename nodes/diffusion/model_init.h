// A base model made on the spot: the architecture of SD 1.x in small, with random weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "diffusion/error.h"

namespace atelier::diffusion {

struct InitOptions {
  std::string arch = "sd1";  ///< the one there is
  int64_t width = 32;        ///< channels of the first level, a multiple of 32
  uint64_t seed = 7;
};

/// Writes a diffusers folder in float16: a UNet of widths (w, w, 2w, 2w) with 8 heads and cross_attention_dim w, a VAE
/// of widths (w, w, 2w, 2w), a text encoder of 3 layers over CLIP's 49,408 tokens, SD 1.x's noise schedule, and the
/// tokenizer files of `tokenizer_folder`. Weights as torch initialises its layers (Kaiming-uniform, a = sqrt(5)), drawn
/// by name: the same options give the same bytes on every machine. diffusers 0.42.1 loads it.
/// Errors: another arch; a width that is no multiple of 32 or over 320; a tokenizer folder without vocab.json or
/// merges.txt; `folder` is there and not empty, or is a file; the disk's.
Result<void> init_model(const InitOptions& options, const std::filesystem::path& folder,
                        const std::filesystem::path& tokenizer_folder);

}  // namespace atelier::diffusion
