// training: what one step of a training sees, drawn from streams that are keyed by (seed, photo, visit) alone. Two
// trainings that show a photo for the n-th time show it with the same noise, at the same timestep, under the same
// words.
//
// Rows of one batch are of one size. A step whose photos are of several (aspect-ratio buckets) has a batch for each,
// whose rows weigh what they would weigh in one batch of all: the visit plan knows nothing of sizes, and the loss of a
// step stays the mean over its rows.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "diffusion/trainer.h"
#include "training/caption_visit.h"
#include "training/row_texts.h"
#include "training/visit_plan.h"
#include "types/dataset.h"

namespace atelier {

struct BatchSettings {
  std::int64_t seed = 0;
  std::int64_t timesteps = 1000;  // t is uniform over [min_timestep, timesteps)
  double scaling_factor = 1;      // the VAE's: what the UNet sees is latent * factor
  at::Device device = at::kCPU;
  std::int64_t min_timestep = 0;
  double noise_offset = 0;  // deviation of what is added to a whole channel of the noise
  CaptionOptions captions = {};
  bool sizes = false;     // whether the base is told the photos' sizes (SDXL)
  bool validity = false;  // whether the loss needs to know what was invented beside the masks
};

// The rows of `visits`, by size in the order in which sizes come up. A latent is the posterior's mean + deviation *
// normal, drawn anew at each visit. Errors: those of the texts.
Expected<std::vector<diffusion::TrainingBatch>> training_batches(std::span<const Dataset> datasets,
                                                                 const VisitPlan& plan, std::span<const Visit> visits,
                                                                 const BatchSettings& settings, const RowTexts& texts);

// Each photo under noise that no training sees, at timesteps spread over all that are drawn: the same in each
// validation. Latents are the posterior's mean, words the photo's own, row weights the photo's. Mirrored copies are
// left out, and of datasets of more than 64 photos all but 64, evenly spread: a validation takes no longer then. A
// batch for each photo, in the order of datasets and items.
struct HeldOutPhoto {
  std::size_t dataset = 0;
  diffusion::TrainingBatch batch;
};
Expected<std::vector<HeldOutPhoto>> held_out_photos(std::span<const Dataset> datasets, const BatchSettings& settings,
                                                    const RowTexts& texts);

}  // namespace atelier
