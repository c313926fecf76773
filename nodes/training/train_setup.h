// training: what all training nodes need before their first step, read off their inputs and params.
#pragma once
#include <memory>
#include <vector>

#include "diffusion/base_model.h"
#include "diffusion/trainer.h"
#include "graph/node.h"
#include "training/training_batch.h"
#include "types/dataset.h"
#include "types/model.h"

namespace atelier {

struct TrainSetup {
  TrainSetup(Model of_base, diffusion::BaseModel opened, diffusion::NoiseSchedule noise, std::vector<Dataset> sets)
      : model(std::move(of_base)),
        base(std::move(opened)),
        schedule(std::move(noise)),
        datasets(std::move(sets)),
        text(datasets.front().text_settings) {}

  Model model;                // the base, as it came
  diffusion::BaseModel base;  // configurations read
  diffusion::NoiseSchedule schedule;
  std::vector<Dataset> datasets;
  TextSettings text;  // of all datasets
  BatchSettings batch;
  diffusion::TrainingOptions options;
  std::int64_t steps = 0;
  at::ScalarType dtype = at::kFloat;  // that the base computes in

  Digest digest() const { return base_digest(model); }
};

// How the learning rate goes over a training of so many steps, from the params of optimizer_params().
diffusion::LrSchedule rate_of(const Params& params, std::int64_t steps);

// The base's text encoders, in its order.
std::vector<diffusion::ModelPart> text_parts(const diffusion::BaseModel& base);

// `node` says in messages which node it is. Errors: a model that is not a base; datasets whose text settings differ.
Expected<TrainSetup> train_setup(const Job& job, const Device& device, std::string_view node);

// The words of the training's rows, and the text encoders where the training needs them beside the datasets' states.
struct SetupTexts {
  std::unique_ptr<RowTexts> rows;
  std::shared_ptr<const diffusion::TextEncoders> encoders;  // null: not needed
};

// How a training uses the base's text encoders.
struct TextUse {
  bool trained = false;                         // what they make of the captions is trained, so rows carry ids
  std::vector<diffusion::TextWord> words = {};  // with vectors of their own: rows carry ids then too
};

// Captions that are cut are told, once each. `setup` outlives the result. Errors: those of loading text encoders.
Expected<SetupTexts> row_texts(const TrainSetup& setup, const TextUse& use, Context& context, Device& device);

}  // namespace atelier
