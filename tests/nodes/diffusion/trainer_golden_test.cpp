// The ways to train that tests/golden/training holds, number for number as diffusers, transformers and peft.
#include <ATen/ATen.h>

#include <functional>

#include "diffusion/noise_offset.h"
#include "diffusion/snr_weights.h"
#include "golden_training.h"

namespace atelier::diffusion {
namespace {

constexpr double kLossTolerance = 1e-5, kNormTolerance = 1e-4, kEndTolerance = 2e-3;  // training.json

class TrainerGolden : public ::testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(1); }

  const at::Tensor& operator[](const std::string& name) const { return goldens.at(name); }
  double fact(const char* group, const char* name) const { return facts[group][name]; }

  TrainingOptions options() const {
    TrainingOptions options = golden_options(tiny);
    options.rate = {.curve = LrCurve::constant, .peak = fact("train", "lr"), .steps = 10};
    options.max_gradient_norm = fact("train", "grad_clip_norm");
    options.normalize = LossNormalize::none;
    return options;
  }

  /// No masks: the loss is a mean over everything.
  TrainingBatch batch(int64_t i) const { return unmasked(golden_batch(tiny, i)); }
  TrainingBatch batch_of_ids(int64_t i) const { return unmasked(golden_batch_of_ids(tiny, i)); }

  Trainer lora(const TrainingOptions& with, PredictionType prediction = PredictionType::epsilon) const {
    return must(Trainer::lora({tiny.unet()}, schedule(prediction), {{golden_start(tiny)}}, with));
  }

  NoiseSchedule schedule(PredictionType prediction = PredictionType::epsilon) const {
    SchedulerConfig config = tiny.scheduler();
    config.prediction_type = prediction;
    return must(NoiseSchedule::create(config));
  }

  /// Trains on batches_of(step) and compares losses, norms, all changes, and the tensors that the goldens hold whole.
  void follow(const std::string& name, Trainer& training,
              const std::function<std::vector<TrainingBatch>(int64_t)>& batches_of) const {
    const TrainedValues start = training.values();
    const at::Tensor losses = (*this)[name + ".loss"], norms = (*this)[name + ".grad_norm"];
    for (int64_t i = 0; i < losses.size(0); ++i) {
      const std::vector<TrainingBatch> batches = batches_of(i);
      const StepResult result = must(training.step(batches))[0];
      EXPECT_NEAR(result.loss / losses[i].item<double>(), 1, kLossTolerance) << "step " << i;
      EXPECT_NEAR(result.gradient_norm / norms[i].item<double>(), 1, kNormTolerance) << "step " << i;
    }
    const TrainedValues end = training.values();
    const at::Tensor changes = (*this)[name + ".change"];
    ASSERT_EQ(static_cast<int64_t>(end.size()), changes.size(0));
    int64_t place = 0, whole = 0;
    for (const auto& [tensor, value] : end) {
      const double wanted = changes[place++].item<double>();
      EXPECT_NEAR((value - start.at(tensor)).norm().item<double>(), wanted, kEndTolerance * wanted) << tensor;
      const at::Tensor kept = kept_end(name, tensor);
      if (!kept.defined()) continue;
      EXPECT_LT((value - kept.view(value.sizes())).norm().item<double>(), kEndTolerance * wanted) << tensor;
      ++whole;
    }
    EXPECT_GE(whole, 4);
  }

  std::vector<TrainingBatch> one(int64_t i) const { return {batch(i)}; }

  GoldenFolder tiny{std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny"};
  std::filesystem::path folder = std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden/training";
  WeightMap goldens = must(must(Safetensors::open(folder / "training.safetensors")).tensors());
  nlohmann::json facts = read_json(folder / "training.json");

 private:
  static TrainingBatch unmasked(TrainingBatch batch) {
    batch.masks = at::ones_like(batch.masks);
    return batch;
  }

  /// `CASE.end.NAME`: a weight's own name, or that of a LoRA's factor in peft's naming. Undefined where it is not kept.
  at::Tensor kept_end(const std::string& name, const std::string& tensor) const {
    const std::string plain = tensor.starts_with("unet.") ? tensor.substr(5) : tensor;
    for (const std::string& wanted : {name + ".end." + plain, name + ".end." + plain + ".default.weight"})
      if (const auto found = goldens.find(wanted); found != goldens.end()) return found->second;
    return {};
  }
};

TEST_F(TrainerGolden, PriorPreservationWeighsTheClassPictures) {
  Trainer training = lora(options());
  const double prior = facts["prior_weight"];
  follow("prior", training, [&](int64_t i) {
    TrainingBatch both = joined(batch(2 * i), batch(2 * i + 1));
    both.row_tenant.clear();
    both.weights = at::tensor({2.0, 2.0, 2 * prior, 2 * prior}, at::kFloat);  // a mean over half of the rows each
    return std::vector{both};
  });
}

TEST_F(TrainerGolden, MinSnrWeighsTimestepsWhereNoiseIsPredicted) {
  TrainingOptions with = options();
  with.min_snr_gamma = facts["min_snr_gamma"];
  Trainer training = lora(with);
  follow("min_snr", training, [&](int64_t i) { return one(i); });
}

TEST_F(TrainerGolden, MinSnrWeighsTimestepsWhereVelocityIsPredicted) {
  TrainingOptions with = options();
  with.min_snr_gamma = facts["min_snr_gamma"];
  Trainer training = lora(with, PredictionType::v_prediction);
  follow("min_snr_v", training, [&](int64_t i) { return one(i); });
}

TEST_F(TrainerGolden, SignalToNoiseAndItsWeightsAreThePeers) {
  const auto close = [](const at::Tensor& ours, const at::Tensor& wanted) {
    return (ours / wanted - 1).abs().max().item<double>();
  };
  EXPECT_LT(close(signal_to_noise(schedule(), at::arange(1000)), (*this)["snr"]), 1e-5);
  for (const auto& [name, prediction] : {std::pair{"min_snr_weights", PredictionType::epsilon},
                                         std::pair{"min_snr_v_weights", PredictionType::v_prediction}}) {
    const at::Tensor t = tiny["train.t"].flatten().slice(0, 0, (*this)[name].numel());
    EXPECT_LT(close(min_snr_weights(schedule(prediction), t, facts["min_snr_gamma"]), (*this)[name].flatten()), 1e-5);
  }
}

TEST_F(TrainerGolden, NoiseOffsetIsAddedAndPredicted) {
  Trainer training = lora(options());
  follow("noise_offset", training, [&](int64_t i) {
    TrainingBatch shifted = batch(i);
    shifted.noise = offset_noise(shifted.noise, (*this)["noise_offset.noise"][i], facts["noise_offset"]);
    return std::vector{shifted};
  });
}

TEST_F(TrainerGolden, AccumulatesBatchesIntoOneStep) {
  Trainer training = lora(options());
  follow("accumulation", training, [&](int64_t i) { return std::vector{batch(2 * i), batch(2 * i + 1)}; });
}

TrainingOptions with_adafactor(TrainingOptions options, const nlohmann::json& facts) {
  options.optimizer = OptimizerKind::adafactor;
  options.adafactor = {.epsilon = facts["eps"][0],
                       .clip_threshold = facts["clip_threshold"],
                       .decay_rate = facts["decay_rate"],
                       .weight_decay = facts["weight_decay"]};
  return options;
}

TEST_F(TrainerGolden, AdafactorTrainsALoraAsTransformersDoes) {
  Lora linear = golden_start(tiny);
  std::erase_if(linear.layers, [](const auto& layer) { return layer.first.find(".proj_") != std::string::npos; });
  Trainer training =
      must(Trainer::lora({tiny.unet()}, schedule(), {{linear}}, with_adafactor(options(), facts["adafactor"])));
  follow("adafactor", training, [&](int64_t i) { return one(i); });
}

TEST_F(TrainerGolden, AdafactorTrainsAllWeightsAsTransformersDoes) {
  TrainingOptions with = with_adafactor(options(), facts["adafactor"]);
  with.adafactor.epsilon = fact("adafactor", "full_eps");
  with.max_gradient_norm = fact("train", "full_grad_clip_norm");
  Trainer training = must(Trainer::full(golden_weights(tiny, false), schedule(), with));
  follow("adafactor_full", training, [&](int64_t i) { return one(i); });
}

TEST_F(TrainerGolden, FullTrainingChangesEveryWeightOfTheUNet) {
  TrainingOptions with = options();
  with.max_gradient_norm = fact("train", "full_grad_clip_norm");
  Trainer training = must(Trainer::full(golden_weights(tiny, false), schedule(), with));
  follow("full", training, [&](int64_t i) { return one(i); });
}

TEST_F(TrainerGolden, LoConAdaptsConvolutionsWithTheirOwnRankAndAlpha) {
  Lora start = lora_in(goldens, "locon.start.", fact("lora", "alpha"));
  int64_t wide = 0;
  for (auto& [name, layer] : start.layers)
    if (layer.a.dim() == 4 && layer.a.size(2) == 3) {
      layer.alpha = fact("lora", "conv_alpha");
      ++wide;
    }
  EXPECT_GT(wide, 10);
  Trainer training = must(Trainer::lora({tiny.unet()}, schedule(), {{start}}, options()));
  follow("locon", training, [&](int64_t i) { return one(i); });
}

TEST_F(TrainerGolden, TextEncodersTrainBesideTheUNetAtARateOfTheirOwn) {
  Lora both = golden_start(tiny);
  both.layers.merge(lora_in(goldens, "text_lora.start.", fact("lora", "alpha")).layers);
  TrainingOptions with = options();
  with.text_rate = fact("train", "text_lr");
  Trainer training = must(Trainer::lora({tiny.unet(), golden_text_encoders(tiny)}, schedule(), {{both}}, with));
  follow("text_lora", training, [&](int64_t i) { return std::vector{batch_of_ids(i)}; });
}

TEST_F(TrainerGolden, TextualInversionTrainsTheRowsOfAWordAndNothingElse) {
  TrainingOptions with = options();
  with.rate.peak = fact("train", "ti_lr");
  with.max_gradient_norm = 0;
  const at::Tensor start = (*this)["ti.start"], rows = (*this)["ti.rows"];
  Trainer training =
      must(Trainer::textual_inversion({tiny.unet(), golden_text_encoders(tiny)}, schedule(), {{start}}, with));
  for (int64_t i = 0; i < rows.size(0); ++i) {
    TrainingBatch batch = batch_of_ids(i);
    batch.text_ids.per_encoder = {(*this)["ti.ids"].index_select(0, tiny["train.caption"][i]).unsqueeze(1)};
    const StepResult result = must(training.step(batch))[0];
    EXPECT_NEAR(result.loss / (*this)["ti.loss"][i].item<double>(), 1, kLossTolerance) << "step " << i;
    EXPECT_NEAR(result.gradient_norm / (*this)["ti.grad_norm"][i].item<double>(), 1, kNormTolerance) << "step " << i;
    EXPECT_LT((training.embedding()[0] - rows[i]).norm().item<double>(),
              kEndTolerance * (rows[i] - start).norm().item<double>())
        << "step " << i;
  }
}

TEST_F(TrainerGolden, LearningRatesGoAsThoseOfDiffusers) {
  using Curve = LrCurve;
  for (const auto& [name, curve, warmup, restarts] :
       {std::tuple{"constant", Curve::constant, 0, 1}, std::tuple{"constant_warmup", Curve::constant, 10, 1},
        std::tuple{"linear", Curve::linear, 0, 1}, std::tuple{"linear_warmup", Curve::linear, 10, 1},
        std::tuple{"cosine", Curve::cosine, 0, 1}, std::tuple{"cosine_warmup", Curve::cosine, 10, 1},
        std::tuple{"restarts", Curve::cosine_with_restarts, 0, 3},
        std::tuple{"restarts_warmup", Curve::cosine_with_restarts, 10, 3}}) {
    const at::Tensor wanted = (*this)[std::string("lr.") + name];
    for (int64_t step = 0; step < wanted.size(0); ++step)
      EXPECT_NEAR(learning_rate_factor({curve, 1, warmup, wanted.size(0), restarts}, step), wanted[step].item<double>(),
                  1e-12)
          << name << ", step " << step;
  }
}

}  // namespace
}  // namespace atelier::diffusion
