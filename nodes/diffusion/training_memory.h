// How much memory a training takes, told from configurations alone: what admission to a device relies on.
#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/config.h"
#include "diffusion/training_options.h"

namespace atelier::diffusion {

enum class TrainedWeights {
  lora,   ///< factors beside frozen weights
  words,  ///< rows of the table of token embeddings
  all,    ///< the UNet's own weights, and those of the text encoders where they are trained
};

/// The question: which training.
struct TrainingShape {
  UNetConfig unet{};
  std::vector<TextConfig> text{};  ///< the encoders that run in the training; empty where their states come ready
  TrainedWeights trained = TrainedWeights::lora;
  bool train_text = false;  ///< the text encoders learn too
  int64_t rank = 32;        ///< of LoRA factors
  int64_t conv_rank = 0;    ///< of those of 3x3 convolutions; 0: none
  at::ScalarType dtype = at::kFloat;
  at::DeviceType device = at::kCPU;
  int64_t rows = 1;                 ///< of a pass: the batch, or the micro-batch
  int64_t height = 64, width = 64;  ///< of the latents
  int64_t tokens = 77;
  OptimizerKind optimizer = OptimizerKind::adamw;
  bool averages = false;  ///< EMA
  bool gradient_checkpointing = false;
};

/// Bytes, at the moment of a step at which there are most.
struct TrainingMemory {
  uint64_t weights = 0;      ///< of the base, in the precision it computes in
  uint64_t trained = 0;      ///< trained values with gradients, moments and averages
  uint64_t activations = 0;  ///< kept for the backward pass
  uint64_t workspace = 0;    ///< what layers need while they run
  uint64_t total() const { return weights + trained + activations + workspace; }
};

/// The estimate. Counts what each layer keeps, as layers.h, transformer.h and unet_blocks.h do it; bench/memory
/// compares it with what trainings take.
TrainingMemory training_memory(const TrainingShape& shape);

}  // namespace atelier::diffusion
