// model: textual inversions between artifacts and the diffusion library.
#pragma once
#include <vector>

#include "base/error.h"
#include "diffusion/embedding.h"
#include "graph/node.h"
#include "types/embedding.h"

namespace atelier {

// The embedding of an artifact: from its tensors, or read from its file where it is a pipeline's input; then its word
// is what the file says, or the file's stem. Errors: those of WordVectors::from() and diffusion::read_embedding().
Expected<WordVectors> embedding_of(const Artifact& artifact);

// The same vectors as libtorch sees them; bytes are shared.
diffusion::Embedding as_diffusion(const WordVectors& embedding);
WordVectors as_word_vectors(const diffusion::Embedding& embedding);

// The port `embeddings`: words for the prompts.
PortSpec embeddings_port();

// The embeddings of the port `embeddings` in its order, none where it is absent; tells of those that were trained on
// another base. Errors: those of embedding_of(); two of one word.
Expected<std::vector<diffusion::Embedding>> embeddings_of(const Job& job, const Digest& base);

}  // namespace atelier
