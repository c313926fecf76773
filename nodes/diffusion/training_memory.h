// How much memory a training takes, told from configurations alone: what admission to a device relies on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/config.h"
#include "diffusion/training_options.h"

namespace atelier::diffusion {

enum class TrainedWeights {
  lora,   ///< factors beside frozen weights
  words,  ///< rows of the table of token embeddings
  all,    ///< weights of the UNet and of the text encoders themselves
};

/// The question: which training.
struct TrainingShape {
  UNetConfig unet{};
  std::vector<TextConfig> text{};  ///< the encoders that run in the training; empty where their states come ready
  TrainedWeights trained = TrainedWeights::lora;
  bool train_unet = true;
  bool train_text = false;             ///< the text encoders learn too
  std::vector<std::string> targets{};  ///< which layers or weights of those (name_patterns.h); empty: the mode's own
  int64_t rank = 32;                   ///< of LoRA factors
  int64_t conv_rank = 0;               ///< of those of 3x3 convolutions; 0: none
  at::ScalarType dtype = at::kFloat;
  at::ScalarType text_dtype = at::kFloat;  ///< of the text encoders
  at::DeviceType device = at::kCPU;
  int64_t rows = 1;                 ///< of a pass: the batch, or the micro-batch
  bool several_passes = false;      ///< a step adds up the gradients of more than one pass
  int64_t height = 64, width = 64;  ///< of the latents
  int64_t tokens = 77;
  OptimizerKind optimizer = OptimizerKind::adamw;
  bool averages = false;  ///< EMA
  bool gradient_checkpointing = false;
};

/// Bytes, at the moment of a step at which there are most: in the backward pass, at the end of a pass, or while the
/// optimizer changes what is trained.
struct TrainingMemory {
  uint64_t weights = 0;      ///< of the base, in the precision it computes in; mapped files count too
  uint64_t trained = 0;      ///< trained values with the gradients there are then, moments and averages
  uint64_t activations = 0;  ///< kept for the backward pass
  uint64_t workspace = 0;    ///< what layers need while they run, and what malloc holds beyond what is in use
  uint64_t total() const { return weights + trained + activations + workspace; }

  uint64_t at_rest = 0;     ///< between two steps: weights, trained values, moments and averages
  uint64_t checkpoint = 0;  ///< copies of values, moments and averages on the host, while a checkpoint is written
};

/// The estimate: the device's memory, on the CPU the process's, beside what libraries and the process itself take.
/// Counts what each layer keeps (training_memory_pass.h); bench/memory compares it with what trainings take. Patterns
/// that mean nothing of this base count as if none were given: the training refuses them.
TrainingMemory training_memory(const TrainingShape& shape);

}  // namespace atelier::diffusion
