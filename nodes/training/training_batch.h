// training: what one step of a training sees, drawn from streams that are keyed by (seed, photo, visit) alone. Two
// trainings that show a photo for the n-th time show it with the same noise, at the same timestep.
#pragma once
#include <cstdint>
#include <span>

#include "diffusion/trainer.h"
#include "training/visit_plan.h"
#include "types/dataset.h"

namespace atelier {

struct BatchSettings {
  std::int64_t seed = 0;
  std::int64_t timesteps = 1000;  // of the base's schedule; t is uniform over them
  double scaling_factor = 1;      // the VAE's: what the UNet sees is latent * factor
  at::Device device = at::kCPU;
};

// The rows of `visits`. A latent is the posterior's mean + deviation * normal, drawn anew at each visit.
diffusion::TrainingBatch training_batch(std::span<const Dataset> datasets, const VisitPlan& plan,
                                        std::span<const Visit> visits, const BatchSettings& settings);

// The LoRA a training starts from: A drawn by (seed, base, layer, rank) alone, B zero, on the CPU.
diffusion::Lora starting_lora(std::span<const diffusion::LoraTarget> targets, std::int64_t rank, double alpha,
                              std::int64_t seed, const Digest& base);

}  // namespace atelier
