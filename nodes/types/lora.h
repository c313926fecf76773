// types: lora, the low-rank update of a base model as an artifact: for each layer the factors of
// dW = alpha / r * B A. Its port type is in nodes/lora, which can read and write the files.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "artifact/artifact.h"
#include "base/error.h"

namespace atelier {

struct LoraFactors {
  Tensor a;          // [r, in] or [r, in, kh, kw] f32
  Tensor b;          // [out, r] f32
  double alpha = 1;  // dW is alpha / r * B A
};

struct LoraSet {
  std::map<std::string, LoraFactors> layers;  // by module path; text encoders behind text_encoder. or text_encoder_2.
  std::optional<Digest> base;                 // of the model it was trained on, where that is known
  nlohmann::json facts = nlohmann::json::object();  // about it, for people: steps, relative error …

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<LoraSet> from(const Artifact& artifact);
};

// A LoRA that lies in a file (a pipeline's input) is an artifact with one FileRef instead; see lora_of() in
// model/loras.h.
}  // namespace atelier
