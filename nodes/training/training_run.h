// training: the steps of a training, whatever it trains: batches, checkpoints, validations, and what is told of them.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "diffusion/embedding.h"
#include "diffusion/trainer.h"
#include "graph/node.h"
#include "training/row_texts.h"
#include "training/train_checkpoint.h"
#include "training/train_setup.h"
#include "types/model.h"

namespace atelier {

// What validation pictures are painted with: the model as it would come out now, and the trained words that prompts may
// use.
struct ModelToPaint {
  Model model;
  std::vector<diffusion::Embedding> words{};
};
using ModelNow = std::function<ModelToPaint(const diffusion::Trainer&)>;

struct ValidationSettings {
  std::int64_t every = 0;  // steps; 0: never
  std::vector<std::string> prompts;
  std::vector<std::int64_t> seeds;
  std::int64_t sampling_steps = 20;
  bool keep_best = false;

  static ValidationSettings of(const Params& params);
};

class TrainingRun {
 public:
  // All outlive it.
  TrainingRun(const TrainSetup& setup, const Job& job, Device& device, const RowTexts& texts, ModelNow model_now);

  // All steps, from the task's checkpoint where there is one that fits; the trainer then has what is to come out. Gives
  // the validation pictures. Errors: stopped, once the state is saved; those of the trainer, with the last good
  // checkpoint named; those of saving and of painting.
  Expected<PictureSet> finish(diffusion::Trainer& trainer);

 private:
  void resume(diffusion::Trainer& trainer);
  Expected<void> save(const diffusion::Trainer& trainer);
  Expected<void> step(diffusion::Trainer& trainer);
  Expected<void> step_and_validate(diffusion::Trainer& trainer);
  Expected<void> validate(diffusion::Trainer& trainer);
  Expected<double> held_out_loss(diffusion::Trainer& trainer) const;
  Expected<void> paint(const diffusion::Trainer& trainer);
  void show(const Picture& picture) const;
  std::string last_good() const;

  const TrainSetup& setup_;
  Context& context_;
  Device& device_;
  const RowTexts& texts_;
  ModelNow model_now_;
  VisitPlan plan_;
  ValidationSettings validation_;
  std::int64_t checkpoint_every_;
  std::optional<std::int64_t> saved_step_;
  Validations validations_;
};

}  // namespace atelier
