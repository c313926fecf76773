// types: model, a base model as files on disk, and what a fusion adds to it. A fused model is its recipe: the base's
// files by digest, the LoRAs' factors and their weights; the weights of the sum are made where they are needed. Its
// port type is in nodes/model, which knows the layouts of a base model.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.h"
#include "base/error.h"
#include "types/lora.h"

namespace atelier {

struct FusedLora {
  LoraSet lora;
  double weight = 1;
};

// How the LoRAs of a model become one update where that is no weighted sum; model/merge_rule.h makes use of it.
struct MergeRule {
  std::string method;               // "ties", "dare"
  double density = 1;               // the share of each update's elements that stays, in (0, 1]
  std::int64_t seed = 0;            // of what dare drops
  std::vector<std::string> blocks;  // what the blocks of each LoRA count, "" for 1 each; empty: 1 each in all LoRAs
};

// Weights that stand in place of a base's, as a training of them leaves them.
struct ChangedWeights {
  using Parts = std::map<std::string, std::map<std::string, Tensor>>;  // "unet", "text_encoder" … -> name -> f32

  Parts parts;
  Digest digest;  // over names and values

  static ChangedWeights of(Parts parts);
};

struct Model {
  // Of the base, sorted: a diffusers folder's files by their path in it; a single file as kSingleFile, whatever its
  // name, with the tokenizer for it as "tokenizer/…". Configurations given beside the base are "config/…".
  std::vector<FileRef> files;
  std::string prediction_type;  // that the base is used with: "epsilon", "v_prediction"; empty: what its files say
  std::string dtype;            // that weights are written in: "float16", "bfloat16", "float32"; empty: the base's
  std::optional<ChangedWeights> changed;  // of a base that was trained itself
  std::vector<FusedLora> loras;           // W' = W + sum_i weight_i dW_i; empty for a base
  std::optional<MergeRule> merge;         // what W' is instead of that sum

  Artifact to_artifact() const;
  // Fault: the artifact is not a well-formed one; the text says why.
  static Expected<Model> from(const Artifact& artifact);
};

inline constexpr std::string_view kSingleFile = "model.safetensors";
inline constexpr std::string_view kConfigPrefix = "config/";

// The one file that the base's weights are in; null where the base is a folder.
const FileRef* single_file_of(const Model& model);

// Identifies the base's content: over names and digests of its files, what was changed, and how it is used.
Digest base_digest(const Model& model);

}  // namespace atelier
