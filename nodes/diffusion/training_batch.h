// What one step of a training sees.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "diffusion/error.h"
#include "diffusion/text_conditioning.h"
#include "diffusion/text_encoders.h"
#include "diffusion/unet.h"

namespace atelier::diffusion {

/// N rows of one size. All on the base's device, float32 unless said.
struct TrainingBatch {
  at::Tensor latents;       ///< [N, 4, h, w], scaled by the VAE's factor
  at::Tensor noise;         ///< [N, 4, h, w]
  at::Tensor timesteps;     ///< [N] int64
  TextConditioning text{};  ///< of the captions, where no text encoder and no word is trained
  TextIds text_ids{};       ///< the captions themselves, in place of `text`: encoded in every step
  at::Tensor time_ids{};    ///< [N, 6] SDXL's sizes, as UNetInput has them
  at::Tensor masks;         ///< [N, 1, h, w] in [0, 1]
  at::Tensor validity{};    ///< [N, 1, h, w] in [0, 1], 0 where an image has invented pixels; undefined: all 1
  at::Tensor weights{};     ///< [N] factor of each sample's loss; undefined: all 1
  std::vector<int64_t> row_tenant{};  ///< [N] whose row it is; may be empty when there is one tenant

  int64_t rows() const { return latents.size(0); }
  bool encodes_text() const { return !text_ids.per_encoder.empty(); }
};

/// The rows [begin, end).
TrainingBatch rows_of(const TrainingBatch& batch, int64_t begin, int64_t end);

/// The tenant of each row: `row_tenant`, or zeros where that may be empty.
std::vector<int64_t> tenant_of_rows(const TrainingBatch& batch, int64_t tenants);

/// Whether all shapes fit together and every tenant has a row; the Error says which shape was given and which is
/// wanted. What the UNet wants of its input is UNet::check()'s.
Result<void> check_batch(const TrainingBatch& batch, int64_t tenants);

}  // namespace atelier::diffusion
