// What one pass of a training holds for its gradients, told layer by layer from the configuration: of training_memory()
// alone. It mirrors the forward pass (unet.cpp, unet_blocks.h, transformer.h, layers.h): whoever changes what those
// keep changes it here too; tests/nodes/diffusion/training_memory_test.cpp and bench/memory measure it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "diffusion/training_memory.h"

namespace atelier::diffusion {

/// What a training does to one layer of its base.
struct TrainedLayer {
  bool learns = false;   ///< its own weights change
  int64_t rank = 0;      ///< of the LoRA's factors beside it; 0: none
  int64_t elements = 0;  ///< trained numbers
  int64_t memory = 0;    ///< what the optimizer keeps of them
};

/// By the names adapters know layers by (`down_blocks.0.resnets.0.conv1`, `text_encoder.text_model.…`).
using TrainedLayers = std::map<std::string, TrainedLayer, std::less<>>;

/// A block of the models, or what stands between two. All in bytes but `trained`.
struct PassStage {
  double input = 0;     ///< what stays of it where it is computed again
  double kept = 0;      ///< what its layers keep for their gradients
  double work = 0;      ///< the most that is needed beside while they are computed
  int64_t trained = 0;  ///< trained numbers whose gradients come from it
  bool again = false;   ///< is computed again in the backward pass: only `input` stays till then
};

/// In the order of the forward pass. Gradients of tensors that several stages share count to the first.
std::vector<PassStage> stages_of_pass(const TrainingShape& shape, const TrainedLayers& trained);

}  // namespace atelier::diffusion
