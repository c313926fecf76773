// The trainer: one step for LoRAs, for new words and for whole weights.
//
// What differs between the modes is what is trained (trainable.h). A LoRA training may have several tenants: K LoRAs in
// one pass of the shared base, each with its own rows of the batch, its own loss, gradient norm and state; K = 1 is the
// plain training.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "diffusion/lora.h"
#include "diffusion/noise_schedule.h"
#include "diffusion/trainable.h"
#include "diffusion/trainable_embedding.h"
#include "diffusion/trainable_lora.h"
#include "diffusion/trainable_weights.h"
#include "diffusion/training_batch.h"
#include "diffusion/training_options.h"

namespace atelier::diffusion {

/// What a step did to one tenant.
struct StepResult {
  double loss = 0;           ///< mean over its rows, and over the step's batches, before the update
  double gradient_norm = 0;  ///< before clipping
  double rate = 0;           ///< the UNet's learning rate in this step
  bool skipped = false;      ///< float16 only: gradients overflowed, nothing was changed but the scale of the loss
};

/// All that a tenant's training needs to go on to the bit: weights, the optimizer's memory, averages, the scale of the
/// loss. Tensors are on the CPU. Names are those of the trained tensors (`<layer>.lora_A`), with `.moment1` and the
/// like behind them; what belongs to no tensor begins with `trainer.`.
struct TrainerState {
  int64_t step = 0;
  std::map<std::string, at::Tensor> tensors;
};

/// Trained values of one tenant by name, on the CPU: what a caller keeps of the best step so far.
using TrainedValues = std::map<std::string, at::Tensor>;

class Trainer {
 public:
  struct Impl;  // trainer_impl.h

  /// Trains LoRAs, one per tenant (see initial_lora; or a LoRA of before, to go on from). Errors: those of
  /// TrainableLora; options that make no sense, by name.
  static Result<Trainer> lora(TrainingBase base, NoiseSchedule schedule, const LoraStart& start,
                              TrainingOptions options);

  /// Trains the rows of a new word. Errors: those of TrainableEmbedding; options that make no sense.
  static Result<Trainer> textual_inversion(TrainingBase base, NoiseSchedule schedule, const EmbeddingStart& start,
                                           TrainingOptions options);

  /// Trains weights of the base. Errors: those of TrainableWeights; options that make no sense.
  static Result<Trainer> full(const WeightsStart& start, NoiseSchedule schedule, TrainingOptions options);

  /// One step of the optimizer on the mean gradient of one or more batches, which may differ in size; a result per
  /// tenant. Every tenant must have a row in every batch. Deterministic on the CPU for one thread count. Errors: shapes
  /// that do not fit together, with both shapes; a loss that is not finite, or that explodes (see loss_watch.h), with
  /// step and learning rate. After an error nothing has changed.
  Result<std::vector<StepResult>> step(std::span<const TrainingBatch> batches);
  Result<std::vector<StepResult>> step(const TrainingBatch& batch) { return step(std::span(&batch, 1)); }

  /// The loss of each row, [N], under the weights that would come out now; nothing learned, nothing dropped.
  Result<at::Tensor> losses(const TrainingBatch& batch);

  /// Steps done so far, skipped ones too.
  int64_t steps() const noexcept;
  int64_t tenants() const noexcept;
  /// Steps that float16 skipped so far.
  int64_t skipped() const noexcept;

  /// What tenant `k` has learned so far: the averages where there are any; a copy. Of a LoRA training.
  Lora lora(int64_t k = 0) const;
  /// The word's rows for each text encoder, likewise. Of a textual inversion.
  std::vector<at::Tensor> embedding() const;
  /// The trained weights of one part (`unet`, `text_encoder`, `text_encoder_2`), by the names of its file and in
  /// float32, likewise. Of a full training.
  WeightMap weights(std::string_view part) const;

  /// Calls `use` with the models of tenant `k` as they would come out now, for pictures on the way: gradients off,
  /// averages in place where there are any. The pass must not be kept.
  void as_trained(const std::function<void(const TrainingPass&)>& use, int64_t k = 0);

  /// What lora() and the like are made of: the averages where there are any; a copy.
  TrainedValues values(int64_t k = 0) const;
  /// Puts values in place of what tenant `k` has learned, to end with the best and not with the last. The optimizer's
  /// memory stays as it is. Errors: a missing tensor or another shape, named.
  Result<void> set_values(const TrainedValues& values, int64_t k = 0);

  /// The state of tenant `k`; a copy.
  TrainerState state(int64_t k = 0) const;
  /// Goes on from states, one per tenant, all at the same step. Errors: a missing tensor or another shape, named.
  Result<void> restore(const std::vector<TrainerState>& states);

  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  ~Trainer();

 private:
  explicit Trainer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier::diffusion
