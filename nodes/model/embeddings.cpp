#include "model/embeddings.h"

#include <fmt/format.h>

#include <algorithm>

#include "diffusion/embedding_format.h"
#include "model/tensors.h"
#include "model/torch_call.h"

namespace atelier {

Expected<WordVectors> embedding_of(const Artifact& artifact) {
  if (artifact.files.empty()) return WordVectors::from(artifact);
  const auto embedding = diffusion::read_embedding(artifact.files.front().path);
  if (!embedding) return passed_on(embedding.error());
  return as_word_vectors(*embedding);
}

diffusion::Embedding as_diffusion(const WordVectors& embedding) {
  diffusion::Embedding result{embedding.word, {}};
  for (const auto& vectors : embedding.vectors) result.vectors.push_back(as_torch(vectors));
  return result;
}

WordVectors as_word_vectors(const diffusion::Embedding& embedding) {
  WordVectors result;
  result.word = embedding.name;
  for (const auto& vectors : embedding.vectors) result.vectors.push_back(as_tensor(vectors));
  return result;
}

PortSpec embeddings_port() {
  return {"embeddings", "embedding", "Trained words that the prompts may use.", true, false};
}

Expected<std::vector<diffusion::Embedding>> embeddings_of(const Job& job, const Digest& base) {
  std::vector<diffusion::Embedding> embeddings;
  for (const auto& artifact : job.input_list("embeddings")) {
    const auto read = embedding_of(artifact);
    if (!read) return tl::unexpected(read.error());
    if (std::ranges::find(embeddings, read->word, &diffusion::Embedding::name) != embeddings.end())
      return failure(fmt::format("two embeddings stand for the word '{}'", read->word));
    if (read->base && *read->base != base)
      job.context.warn(fmt::format("the embedding '{}' was trained on another base model ({}, not {})", read->word,
                                   read->base->brief(), base.brief()));
    embeddings.push_back(as_diffusion(*read));
  }
  return embeddings;
}

}  // namespace atelier
