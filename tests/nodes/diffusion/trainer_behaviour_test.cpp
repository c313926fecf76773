// What a step promises beside its numbers: averages, scaling of the loss, what stops a training, what it refuses.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diffusion/loss_watch.h"
#include "golden_training.h"

namespace atelier::diffusion {
namespace {

class TrainerBehaviour : public ::testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(1); }

  Trainer lora(const TrainingOptions& with) const {
    return must(Trainer::lora({tiny.unet()}, golden_schedule(tiny), {{golden_start(tiny)}}, with));
  }
  TrainingBatch batch(int64_t i) const { return golden_batch(tiny, i); }

  GoldenFolder tiny{std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden/sd1_tiny"};
  TrainingOptions options = golden_options(tiny);
};

/// |a - b| / |b| over all tensors.
double distance(const TrainedValues& a, const TrainedValues& b) {
  double apart = 0, size = 0;
  for (const auto& [name, value] : b) {
    apart += (a.at(name) - value).square().sum().item<double>();
    size += value.square().sum().item<double>();
  }
  return std::sqrt(apart / size);
}

TEST_F(TrainerBehaviour, SeveralBatchesMakeTheStepOfOneBigBatch) {
  Trainer apart = lora(options), together = lora(options);
  for (int64_t i = 0; i < 3; ++i) {
    const std::vector<TrainingBatch> batches{batch(2 * i), batch(2 * i + 1)};
    TrainingBatch big = joined(batches[0], batches[1]);
    big.row_tenant.clear();
    const StepResult a = must(apart.step(batches))[0], b = must(together.step(big))[0];
    EXPECT_NEAR(a.loss / b.loss, 1, 1e-6);
    EXPECT_NEAR(a.gradient_norm / b.gradient_norm, 1, 1e-5);
  }
  EXPECT_LT(distance(apart.values(), together.values()), 1e-5);
}

TEST_F(TrainerBehaviour, BatchesOfOneStepMayDifferInSize) {
  Trainer training = lora(options);
  TrainingBatch wide = batch(1);
  for (at::Tensor* tensor : {&wide.latents, &wide.noise, &wide.masks}) *tensor = tensor->repeat({1, 1, 1, 2});
  EXPECT_TRUE(std::isfinite(must(training.step(std::vector{batch(0), wide}))[0].loss));
  EXPECT_EQ(training.step(std::span<const TrainingBatch>()).error().message, "training: a step was given no batch");
}

TEST_F(TrainerBehaviour, ResultsAreTheAveragesOfTheStepsWhereThereAreAny) {
  Trainer plain = lora(options);
  options.ema_decay = 0.2;
  Trainer averaged = lora(options);
  TrainedValues average = plain.values();
  for (int64_t i = 0; i < 5; ++i) {
    must(plain.step(batch(i)));
    must(averaged.step(batch(i)));
    const double decay = i == 0 ? 0 : std::min(0.2, (1.0 + static_cast<double>(i)) / (10.0 + static_cast<double>(i)));
    for (auto& [name, value] : average) value = value * decay + plain.values().at(name) * (1 - decay);
  }
  EXPECT_LT(distance(averaged.values(), average), 1e-6);
  EXPECT_GT(distance(averaged.values(), plain.values()), 1e-5);
  // The training itself went on from the weights and not from their averages.
  const std::string name = averaged.values().begin()->first;
  EXPECT_TRUE(at::equal(averaged.state().tensors.at(name), plain.values().at(name)));
}

TEST_F(TrainerBehaviour, LossesAreThoseOfTheAverages) {
  options.ema_decay = 0.5;
  Trainer averaged = lora(options);
  for (int64_t i = 0; i < 4; ++i) must(averaged.step(batch(i)));
  const TrainerState before = averaged.state();
  const at::Tensor losses = must(averaged.losses(batch(7)));
  EXPECT_TRUE(equal_bits(averaged.state(), before));
  Trainer given = must(Trainer::lora({tiny.unet()}, golden_schedule(tiny), {{averaged.lora()}}, golden_options(tiny)));
  EXPECT_TRUE(at::equal(must(given.losses(batch(7))), losses));
  double loss = -1;
  averaged.as_trained([&](const TrainingPass& pass) {
    const TrainingBatch& seen = batch(7);
    const at::Tensor noisy = golden_schedule(tiny).add_noise(seen.latents, seen.noise, seen.timesteps);
    const at::Tensor made = pass.unet->forward({noisy, seen.timesteps, seen.text.context}, pass.adapters);
    loss = masked_loss(made, seen.noise, seen.masks, LossNormalize::mask)[0].item<double>();
  });
  EXPECT_FLOAT_EQ(static_cast<float>(loss), losses[0].item<float>());
}

TEST_F(TrainerBehaviour, GradientCheckpointingTrainsTheSameToTheBit) {
  TrainingOptions sparing = options;
  sparing.gradient_checkpointing = true;
  const auto full = [&](const TrainingOptions& with) {
    return must(Trainer::full(golden_weights(tiny, true), golden_schedule(tiny), with));
  };
  Trainer kept = lora(options), again = lora(sparing), all_kept = full(options), all_again = full(sparing);
  for (int64_t i = 0; i < 3; ++i) {
    for (Trainer* training : {&kept, &again}) must(training->step(batch(i)));
    for (Trainer* training : {&all_kept, &all_again}) must(training->step(golden_batch_of_ids(tiny, i)));
  }
  EXPECT_TRUE(equal_bits(again.state(), kept.state()));
  EXPECT_TRUE(equal_bits(all_again.state(), all_kept.state()));
}

TEST_F(TrainerBehaviour, AScaledLossTrainsTheSame) {
  Trainer plain = lora(options);
  options.loss_scale = LossScale{};
  Trainer scaled = lora(options);
  for (int64_t i = 0; i < 4; ++i) {
    const StepResult a = must(scaled.step(batch(i)))[0], b = must(plain.step(batch(i)))[0];
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_NEAR(a.gradient_norm / b.gradient_norm, 1, 1e-6);
  }
  EXPECT_LT(distance(scaled.values(), plain.values()), 1e-6);
}

TEST_F(TrainerBehaviour, AStepWhoseGradientsOverflowChangesNothingButTheScale) {
  options.loss_scale = LossScale{.scale = 1e30, .good_steps = 7};
  Trainer training = lora(options);
  const TrainedValues before = training.values();
  const StepResult result = must(training.step(batch(0)))[0];
  EXPECT_TRUE(result.skipped);
  EXPECT_TRUE(std::isfinite(result.loss));
  EXPECT_EQ(distance(training.values(), before), 0);
  EXPECT_EQ(training.steps(), 1);
  EXPECT_EQ(training.skipped(), 1);
  const TrainerState state = training.state();
  EXPECT_TRUE(at::equal(state.tensors.at("trainer.loss_scale"), at::tensor({5e29, 0.0, 1.0}, at::kDouble)));
  EXPECT_EQ(state.tensors.at("trainer.optimizer_steps").item<int64_t>(), 0);
}

TEST_F(TrainerBehaviour, AnExplodingLossStopsTheTraining) {
  options.rate.peak = 0;  // the loss is made to explode by its weights
  Trainer training = lora(options);
  TrainingBatch seen = batch(0);
  seen.weights = at::ones({2});
  for (int64_t i = 0; i < LossWatch::kUnjudged; ++i) must(training.step(seen));
  seen.weights = at::full({2}, 50.0);
  for (int64_t i = 1; i < LossWatch::kInARow; ++i) must(training.step(seen));
  const TrainerState before = training.state();
  const auto result = training.step(seen);
  ASSERT_FALSE(result);
  const double usual = must(training.losses(batch(0))).mean().item<double>();
  EXPECT_EQ(result.error().message,
            fmt::format("training: the loss explodes: {:.4g} at step 69, the last of 20 steps in a row over 10 times "
                        "the median of {:.4g}, at the learning rate 0; nothing of this step was applied, and a lower "
                        "learning rate may help",
                        50 * usual, usual));
  EXPECT_TRUE(equal_bits(training.state(), before));
}

TEST_F(TrainerBehaviour, PixelsOutsideTheMaskWeighWhatIsAskedAndInventedOnesNothing) {
  options.normalize = LossNormalize::none;
  TrainingBatch seen = batch(0);
  const auto loss_of = [&](const at::Tensor& masks, double unmasked, const at::Tensor& validity) {
    TrainingBatch one = seen;
    one.masks = masks;
    one.validity = validity;
    options.unmasked_weight = unmasked;
    return must(lora(options).losses(one));
  };
  const at::Tensor mask = seen.masks, none = at::zeros_like(mask);
  at::Tensor valid = at::ones_like(mask);
  valid.slice(2, 0, 5).zero_();
  EXPECT_LT(greatest_difference(loss_of(mask, 0.25, {}), loss_of(mask + (1 - mask) * 0.25, 0, {})), 1e-6);
  EXPECT_LT(greatest_difference(loss_of(none, 1, valid), loss_of(valid, 0, {})), 1e-6);
}

TEST_F(TrainerBehaviour, TrainsInBfloat16AlmostAsInFloat32) {
  WeightReader reader(tiny.weights("unet"), "unet", {.device = at::kCPU, .dtype = at::kBFloat16});
  const auto half = must(UNet::create(golden_weights(tiny, false).unet_config, reader));
  Trainer coarse = must(Trainer::lora({half}, golden_schedule(tiny), {{golden_start(tiny)}}, options));
  Trainer fine = lora(options);
  for (int64_t i = 0; i < 5; ++i) {
    const double a = must(coarse.step(batch(i)))[0].loss, b = must(fine.step(batch(i)))[0].loss;
    EXPECT_NEAR(a / b, 1, 0.03) << "step " << i;
  }
  const std::string name = "down_blocks.0.attentions.0.proj_in.lora_A";
  EXPECT_EQ(coarse.state().tensors.at(name).scalar_type(), at::kFloat);
  EXPECT_LT(distance(coarse.values(), fine.values()), 0.02);
}

TEST_F(TrainerBehaviour, FullTrainingInBfloat16KeepsChangesThatBfloat16Rounds) {
  WeightsStart start = golden_weights(tiny, false);
  start.options.dtype = at::kBFloat16;
  options.rate.peak = 1e-5;  // under a bfloat16's precision for most weights
  Trainer training = must(Trainer::full(start, golden_schedule(tiny), options));
  const WeightMap before = training.weights("unet");
  for (int64_t i = 0; i < 3; ++i) must(training.step(batch(i)));
  const at::Tensor first = before.at("conv_in.weight"), last = training.weights("unet").at("conv_in.weight");
  EXPECT_GT((last - first).count_nonzero().item<int64_t>(), first.numel() * 9 / 10);
}

TEST_F(TrainerBehaviour, FullTrainingOfSomeWeightsLeavesTheOthers) {
  Trainer training = must(Trainer::full(golden_weights(tiny, true, {"attn2.to_k", "text_encoder.*.fc1.bias"}),
                                        golden_schedule(tiny), golden_options(tiny)));
  for (const auto& [name, value] : training.values())
    EXPECT_TRUE(name.ends_with("attn2.to_k.weight") || name.ends_with("fc1.bias")) << name;
  EXPECT_EQ(training.weights("text_encoder").size(), 2u);
  EXPECT_FALSE(training.weights("unet").empty());
  EXPECT_EQ(
      Trainer::full(golden_weights(tiny, false, {"attn3"}), golden_schedule(tiny), {}).error().message.substr(0, 51),
      "pattern 'attn3' matches nothing of the base; names ");
}

TEST_F(TrainerBehaviour, TwoTenantsWithTextEncodersTrainAsEachAlone) {
  const auto text = golden_text_encoders(tiny);
  RandomLoras random(3);
  const auto start = [&](double size) {
    Lora lora = golden_start(tiny);
    for (const LoraTarget& target : text->adaptable_layers())
      lora.layers[target.name] = {.a = random.normal({2, target.weight_shape[1]}) * size,
                                  .b = random.normal({target.weight_shape[0], 2}) * size,
                                  .alpha = 2};
    return lora;
  };
  const Lora first = start(0.1), second = start(0.2);
  const auto trainer = [&](const std::vector<Lora>& loras) {
    return must(Trainer::lora({tiny.unet(), text}, golden_schedule(tiny), {loras}, options));
  };
  // Captions of three chunks, so that rows and chunks cannot be taken for each other.
  const auto long_batch = [&](int64_t i) {
    TrainingBatch batch = golden_batch_of_ids(tiny, i);
    for (at::Tensor& ids : batch.text_ids.per_encoder) ids = at::cat({ids, ids.roll(1, 0), ids}, 1);
    return batch;
  };
  Trainer both = trainer({first, second}), one = trainer({first}), two = trainer({second});
  for (int64_t i = 0; i < 2; ++i) {
    const auto results = must(both.step(joined(long_batch(i), long_batch(i + 2))));
    EXPECT_NEAR(results[0].loss / must(one.step(long_batch(i)))[0].loss, 1, 1e-5);
    EXPECT_NEAR(results[1].loss / must(two.step(long_batch(i + 2)))[0].loss, 1, 1e-5);
  }
  EXPECT_LT(distance(both.values(0), one.values()), 1e-5);
  EXPECT_LT(distance(both.values(1), two.values()), 1e-5);
}

TEST_F(TrainerBehaviour, AWordTrainedBeforeIsGivenToALoraTraining) {
  const auto text = golden_text_encoders(tiny);
  const int64_t width = (*text)[0].model->config().hidden_size, first = (*text)[0].model->config().vocab_size;
  TrainingBatch seen = golden_batch_of_ids(tiny, 0);
  // Most of the caption: to this base, which was never trained, a single word hardly matters.
  seen.text_ids.per_encoder[0].narrow(2, 1, 60).fill_(first);
  const auto loss_with = [&](const at::Tensor& row) {
    Trainer training =
        must(Trainer::lora({tiny.unet(), text}, golden_schedule(tiny), {{golden_start(tiny)}, {row}}, options));
    return must(training.step(seen))[0].loss;
  };
  // Not a row of ones, which the encoder's layer norms cannot tell from one of zeros.
  const double without = loss_with(at::zeros({1, width})), with = loss_with(RandomLoras(4).normal({1, width}));
  EXPECT_GT(std::abs(with / without - 1), 1e-5);
  EXPECT_EQ(loss_with(at::zeros({1, width})), without);
}

TEST_F(TrainerBehaviour, RefusesOptionsThatMakeNoSense) {
  const auto error_of = [&](auto change) {
    TrainingOptions wrong;
    change(wrong);
    return Trainer::lora({tiny.unet()}, golden_schedule(tiny), {{golden_start(tiny)}}, wrong).error().message;
  };
  EXPECT_EQ(error_of([](auto& o) { o.unmasked_weight = 1.5; }),
            "training: unmasked_weight is 1.5, wanted is a number from 0 to 1");
  EXPECT_EQ(error_of([](auto& o) { o.ema_decay = 1; }),
            "training: ema_decay is 1, wanted is a number from 0 to under 1");
  EXPECT_EQ(error_of([](auto& o) { o.dropout.rank = -0.5; }),
            "training: rank_dropout is -0.5, wanted is a number from 0 to under 1");
  EXPECT_EQ(error_of([](auto& o) { o.dropout.module = 0.5; }), "training: dropout needs a source of random numbers");
}

TEST_F(TrainerBehaviour, RefusesTextItCannotEncodeAndWordsThatDoNotFit) {
  EXPECT_EQ(lora(options).step(golden_batch_of_ids(tiny, 0)).error().message,
            "training: the batch has text ids, the base no text encoders");
  Lora of_text = golden_start(tiny);
  of_text.layers["text_encoder.text_model.encoder.layers.0.mlp.fc1"] = {at::ones({1, 16}), at::ones({64, 1}), 1};
  EXPECT_EQ(Trainer::lora({tiny.unet()}, golden_schedule(tiny), {{of_text}}, options).error().message,
            "LoRA layer 'text_encoder.text_model.encoder.layers.0.mlp.fc1': the training was given no text encoders");
  Trainer of_word = must(Trainer::textual_inversion({tiny.unet(), golden_text_encoders(tiny)}, golden_schedule(tiny),
                                                    {{at::ones({1, 16})}}, options));
  EXPECT_EQ(of_word.step(batch(0)).error().message,
            "training: text encoders or words are trained, and the batch has no text ids");
  const auto word_error = [&](const TrainingBase& base, const std::vector<at::Tensor>& rows) {
    return Trainer::textual_inversion(base, golden_schedule(tiny), {rows}, options).error().message;
  };
  const TrainingBase base{tiny.unet(), golden_text_encoders(tiny)};
  EXPECT_EQ(word_error({tiny.unet()}, {at::ones({1, 16})}),
            "training: a word is trained, and the training was given no text encoders");
  EXPECT_EQ(word_error(base, {}), "training: the word has rows for 0 text encoders, the base has 1");
  EXPECT_EQ(word_error(base, {at::ones({2, 9})}),
            "training: the word's rows of text encoder 1 have shape [2, 9], wanted is [2, 16]");
}

}  // namespace
}  // namespace atelier::diffusion
