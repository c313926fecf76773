// types: model, a base model as files on disk, and what a fusion adds to it. A fused model is its recipe: the base's
// files by digest, the LoRAs' factors and their weights; the weights of the sum are made where they are needed. Its
// port type is in nodes/model, which knows the layout of a base model.
#pragma once
#include <vector>

#include "artifact/artifact.h"
#include "base/error.h"
#include "types/lora.h"

namespace atelier {

struct FusedLora {
  LoraSet lora;
  double weight = 1;
};

struct Model {
  std::vector<FileRef> files;    // of the base, named by their path in its folder, sorted
  std::vector<FusedLora> loras;  // W' = W + sum_i weight_i dW_i; empty for a base

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<Model> from(const Artifact& artifact);
};

// Identifies the base's content: over names and digests of its files.
Digest base_digest(const Model& model);

}  // namespace atelier
