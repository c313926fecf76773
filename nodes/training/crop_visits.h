// training: what a step of an autoencoder's training sees: squares cut out of images. Pure: a function of the step, the
// images and the seed.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "base/error.h"
#include "training/visit_plan.h"
#include "types/images.h"

namespace atelier {

struct CropSettings {
  std::int64_t side = 0;  // of a square, px
  std::int64_t batch_size = 1;
  std::int64_t seed = 0;
  bool mirror = true;  // every other square, left and right changed
};

class CropVisits {
 public:
  // `images` outlive it. Errors: no image; one that is smaller than a square, named with its size.
  static Expected<CropVisits> of(std::span<const Image> images, const CropSettings& settings);

  // The squares of a step (0-based), [batch_size, 3, side, side] float32 in [-1, 1]. Images come in rounds, as in every
  // training (visit_plan.h); where a square lies is drawn anew at each visit.
  at::Tensor pictures(std::int64_t step);

  // The noise of the step's latents, [batch_size, channels, height, width] normal, drawn by (seed, photo, visit).
  at::Tensor noise(std::int64_t step, std::int64_t channels, std::int64_t side);

 private:
  CropVisits(std::span<const Image> images, const CropSettings& settings);
  const std::vector<Visit>& visits(std::int64_t step);

  std::span<const Image> images_;
  CropSettings settings_;
  std::vector<Dataset> as_dataset_;  // one: who the images are, for the plan
  VisitPlan plan_;
  std::int64_t step_ = -1;  // of visits_
  std::vector<Visit> visits_;
};

}  // namespace atelier
