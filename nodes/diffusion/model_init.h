// A base model made on the spot, with random weights: the architecture of SD 1.x, SD 2.x or SDXL in small, or one of
// any configuration.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "diffusion/error.h"

namespace atelier::diffusion {

struct InitOptions {
  std::string arch = "sd1";  ///< or "sd2", "sdxl"
  int64_t width = 32;        ///< channels of the first level, a multiple of 32
  uint64_t seed = 7;
};

/// Writes a diffusers folder in float16, of width w:
///   sd1   a UNet of widths (w, w, 2w, 2w) with 8 heads; one text encoder of width w; epsilon
///   sd2   the same widths with heads of 16 channels and linear projections; OpenCLIP's GELU and padding; v-prediction
///   sdxl  a UNet of widths (w, 2w, 2w) with 0, 1 and 2 transformer layers, pooled text and sizes; text encoders of
///         widths w and 2w, the second with a projection; epsilon
/// each with a VAE of widths (w, w, 2w, 2w), text encoders of 3 layers over CLIP's 49,408 tokens, SD's noise schedule,
/// and the tokenizer files of `tokenizer_folder`. Weights as torch initialises its layers (Kaiming-uniform, a =
/// sqrt(5)), drawn by name: the same options give the same bytes on every machine. diffusers 0.42.1 loads it. Errors:
/// another arch; a width that is no multiple of 32 or over 320; a tokenizer folder without vocab.json or merges.txt;
/// `folder` is there and not empty, or is a file; the disk's.
Result<void> init_model(const InitOptions& options, const std::filesystem::path& folder,
                        const std::filesystem::path& tokenizer_folder);

/// The same of a diffusers folder's configurations and tokenizers, `configs`, which holds all of such a folder but the
/// weights: what a training from nothing starts from. Its autoencoder and UNet start as training_start.h says. Errors:
/// a file that is missing or that the parsers of config.h refuse; parts that do not fit together; `folder` is there and
/// not empty, or is a file; the disk's.
Result<void> init_model_of(const std::filesystem::path& configs, uint64_t seed, const std::filesystem::path& folder);

}  // namespace atelier::diffusion
