// Textual-inversion files: written in kohya's layout, read in kohya's and WebUI's (`emb_params`, SDXL's `clip_l` and
// `clip_g`) and in diffusers' (one tensor named as its word).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "diffusion/embedding.h"
#include "diffusion/error.h"
#include "diffusion/lora_base.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {

/// What an embedding's file says of itself. Deterministic: no time unless one is given.
struct EmbeddingMetadata {
  std::string title{};                ///< modelspec.title
  LoraBase base{};                    ///< the kind of base it was trained for
  std::optional<std::string> date{};  ///< modelspec.date, ISO 8601; only from SOURCE_DATE_EPOCH
};

/// An embedding as the tensors and the metadata of a safetensors file.
struct EmbeddingFile {
  WeightMap tensors;
  Metadata metadata;
};

/// The embedding in kohya's layout, float32: `emb_params` for one text encoder, `clip_l` and `clip_g` for two, each
/// [n, D]. diffusers' load_textual_inversion() takes the former as a file and each of the latter as a tensor.
EmbeddingFile to_kohya(const Embedding& embedding, const EmbeddingMetadata& metadata);

/// The embedding in `file`. Its name is `word`, but for a single tensor with a name of its own, which is the word then.
/// Errors: other tensors than those of an embedding, with how many; a shape that is not [n, D] or [D]; another dtype
/// than a floating one; unequal n.
Result<Embedding> embedding_of_file(const EmbeddingFile& file, const std::string& word);

/// Reads a `.safetensors` file, whose stem is the word where the file names none. Errors begin with the path; pickles
/// (.pt, .bin) are refused with how to convert, NaN and infinite values by the tensor's name.
Result<Embedding> read_embedding(const std::filesystem::path& path);

}  // namespace atelier::diffusion
