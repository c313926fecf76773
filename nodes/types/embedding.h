// types: embedding, a word and the vectors it stands for in the text encoders' input (textual inversion), as an
// artifact. Its port type is in nodes/lora, which can read and write the files.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "base/error.h"

namespace atelier {

struct WordVectors {
  std::string word;                                 // as in a prompt: "<sks>"
  std::vector<Tensor> vectors;                      // per text encoder, in the base's order: [n, D] f32, equal n
  std::optional<Digest> base;                       // of the model it was trained on, where that is known
  nlohmann::json facts = nlohmann::json::object();  // about it, for people and for its file: base_model, steps …

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<WordVectors> from(const Artifact& artifact);
};

// An embedding that lies in a file (a pipeline's input) is an artifact with one FileRef instead; see
// model/embeddings.h.
}  // namespace atelier
