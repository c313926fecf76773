// What a Trainer holds; of trainer.cpp and trainer_state.cpp alone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/ema.h"
#include "diffusion/loss_scale.h"
#include "diffusion/loss_watch.h"
#include "diffusion/optimizer.h"
#include "diffusion/trainer.h"

namespace atelier::diffusion {

struct Trainer::Impl {
  Impl(TrainingBase base, NoiseSchedule noise_schedule, std::unique_ptr<Trainable> mode,
       TrainingOptions training_options);

  int64_t tenants() const { return trained->tenants(); }
  std::vector<at::Tensor> values() const;
  std::vector<double> rates() const;

  /// The losses of rows that are one pass, [N], and what they need of the batch that the rows are from.
  Result<at::Tensor> row_losses(const TrainingBatch& rows, const Dropout& dropout) const;
  Result<void> check(const TrainingBatch& batch) const;

  /// Live views of everything tenant `k` has, by the names of a state.
  std::map<std::string, at::Tensor> tensors_of(int64_t k) const;
  /// What a state holds beside those.
  std::map<std::string, at::Tensor> counts_of(int64_t k) const;
  void restore_counts(const TrainerState& state, int64_t k);

  /// While it lives, the averages stand in the weights' places.
  class AveragesInPlace {
   public:
    explicit AveragesInPlace(Impl& training);
    ~AveragesInPlace();
    AveragesInPlace(const AveragesInPlace&) = delete;
    AveragesInPlace& operator=(const AveragesInPlace&) = delete;

   private:
    void exchange();
    Impl& training_;
  };

  TrainingBase base;
  NoiseSchedule schedule;
  TrainingOptions options;
  std::unique_ptr<Trainable> trained;
  const TrainableLora* lora = nullptr;            // `trained`, in that mode
  const TrainableEmbedding* embedding = nullptr;  // … in that one
  std::unique_ptr<Optimizer> optimizer;
  std::optional<Ema> ema;
  std::optional<LossScale> loss_scale;  // in float16
  std::vector<LossWatch> watches;       // one per tenant
  int64_t step = 0;
};

}  // namespace atelier::diffusion
