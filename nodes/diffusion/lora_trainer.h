// Training of LoRAs on a frozen UNet. One trainer trains K LoRAs ("tenants") in one pass of the shared base: each has
// its own rows of the batch, its own loss, gradient norm and state. K = 1 is the plain training.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/adamw.h"
#include "diffusion/lora.h"
#include "diffusion/lr_schedule.h"
#include "diffusion/masked_loss.h"
#include "diffusion/noise_schedule.h"
#include "diffusion/unet.h"

namespace atelier::diffusion {

struct TrainingOptions {
  LrSchedule rate{};
  AdamWOptions adamw{};
  double max_gradient_norm = 1.0;  ///< gradients of a tenant are scaled down to this norm; 0: never
  LossNormalize normalize = LossNormalize::none;
  int64_t micro_batch = 0;  ///< rows per pass, gradients accumulated: less memory, equal within rounding; 0: all
};

/// What one step sees. All on the base's device, float32 unless said.
struct TrainingBatch {
  at::Tensor latents;                 ///< [N, 4, h, w], scaled by the VAE's factor
  at::Tensor noise;                   ///< [N, 4, h, w]
  at::Tensor timesteps;               ///< [N] int64
  at::Tensor context;                 ///< [N, 77, D] hidden states of the captions
  at::Tensor masks;                   ///< [N, 1, h, w] in [0, 1]
  at::Tensor weights{};               ///< [N] factor of each sample's loss; undefined: all 1
  std::vector<int64_t> row_tenant{};  ///< [N] whose row it is; may be empty when K = 1
};

/// What a step did to one tenant.
struct StepResult {
  double loss = 0;           ///< mean over its rows, before the update
  double gradient_norm = 0;  ///< before clipping
};

/// All that a tenant's training needs to go on to the bit: step, weights and moments. Names are
/// `<layer>.lora_A`, `<layer>.lora_B`, and with `.moment1`, `.moment2` after them.
struct TrainerState {
  int64_t step = 0;
  std::map<std::string, at::Tensor> tensors;
};

class LoraTrainer {
 public:
  /// A training that starts from `initial`, one LoRA per tenant (see initial_lora; copied, not changed). Errors: a
  /// layer that the UNet does not have, another shape, tenants whose layers or ranks differ, no layer at all.
  static Result<LoraTrainer> create(std::shared_ptr<const UNet> base, NoiseSchedule schedule,
                                    const std::vector<Lora>& initial, TrainingOptions options);

  /// One optimizer step; a result per tenant. Every tenant must have a row. Deterministic on the CPU for one thread
  /// count. Errors: shapes that do not fit together, with both shapes; a loss that is not finite, with the step — the
  /// weights are then as before.
  Result<std::vector<StepResult>> step(const TrainingBatch& batch);

  /// The loss of each row under the current weights, [N], nothing learned.
  Result<at::Tensor> losses(const TrainingBatch& batch) const;

  /// Steps done so far.
  int64_t steps() const noexcept;
  int64_t tenants() const noexcept;

  /// What tenant `k` has learned so far; a copy.
  Lora lora(int64_t k = 0) const;
  /// The state of tenant `k`; a copy, on the CPU.
  TrainerState state(int64_t k = 0) const;
  /// Goes on from states, one per tenant, all at the same step. Errors: a missing tensor or another shape, named.
  Result<void> restore(const std::vector<TrainerState>& states);

  LoraTrainer(LoraTrainer&&) noexcept;
  LoraTrainer& operator=(LoraTrainer&&) noexcept;
  ~LoraTrainer();

 private:
  struct Impl;
  explicit LoraTrainer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier::diffusion
