// A textual inversion as a value: the vectors that a word of the prompt stands for, one row per token, for each text
// encoder of the base. Reading and writing its files is embedding_format.h; prompts and `textual_inversion` training
// use it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace atelier::diffusion {

/// The word and its rows, which take the places of the word's tokens in the text encoder's table of token embeddings.
struct Embedding {
  std::string name;                 ///< the word in a prompt: `<sks>`; of a file without one, the file's stem
  std::vector<at::Tensor> vectors;  ///< per text encoder, in the base's order: [n, D] float32, equal n, 1 <= n
};

}  // namespace atelier::diffusion
