// What holds for every mode and optimizer: a training that was cut off ends as the one that was not.
#include <ATen/ATen.h>

#include <functional>

#include "diffusion/lora_targets.h"
#include "golden_training.h"

namespace atelier::diffusion {
namespace {

/// Numbers that depend on the step and the purpose alone.
void uniform(int64_t step, std::string_view purpose, std::span<float> values) {
  RandomLoras random(std::hash<std::string_view>()(purpose) + static_cast<uint64_t>(step));
  for (float& value : values) value = static_cast<float>(random.between(0, 9999)) / 10000;
}

/// One way to train: how to begin, and what a step sees.
struct Mode {
  std::string name;
  std::function<Trainer(const GoldenFolder&)> begin;
  std::function<std::vector<TrainingBatch>(const GoldenFolder&, int64_t)> batches;
};

TrainingOptions options_of(const GoldenFolder& g, OptimizerKind optimizer) {
  TrainingOptions options = golden_options(g);
  options.rate = {.curve = LrCurve::cosine_with_restarts, .peak = 1e-3, .warmup_steps = 2, .steps = 8, .restarts = 2};
  options.optimizer = optimizer;
  return options;
}

std::vector<TrainingBatch> one(const GoldenFolder& g, int64_t step) { return {golden_batch(g, step)}; }
std::vector<TrainingBatch> one_of_ids(const GoldenFolder& g, int64_t step) { return {golden_batch_of_ids(g, step)}; }

Trainer lora(const GoldenFolder& g, const TrainingOptions& options) {
  return must(Trainer::lora({g.unet()}, golden_schedule(g), {{golden_start(g)}}, options));
}

Trainer lora_with_everything(const GoldenFolder& g) {
  TrainingOptions options = options_of(g, OptimizerKind::adamw);
  options.ema_decay = 0.9;
  options.dropout = {.rank = 0.3, .module = 0.2};
  options.uniform = uniform;
  options.min_snr_gamma = 5;
  options.micro_batch = 1;
  options.loss_scale = LossScale{.scale = 1e20};  // the norm overflows at first
  return lora(g, options);
}

Trainer text_and_unet_lora(const GoldenFolder& g) {
  const auto unet = g.unet();
  const auto text = golden_text_encoders(g);
  std::vector<LoraTarget> layers = unet->adaptable_layers();
  for (const LoraTarget& layer : text->adaptable_layers()) layers.push_back(layer);
  const LoraShape shape{.rank = 2, .alpha = 2, .conv_rank = 1, .conv_alpha = 1};
  const Lora start = initial_lora(must(select_lora_targets(layers, shape)), shape,
                                  [](std::string_view name, std::span<float> values) { uniform(0, name, values); });
  TrainingOptions options = options_of(g, OptimizerKind::adafactor);
  options.text_rate = 1e-4;
  return must(Trainer::lora({unet, text}, golden_schedule(g), {{start}}, options));
}

Trainer word(const GoldenFolder& g) {
  const auto text = golden_text_encoders(g);
  EmbeddingStart start;
  for (size_t i = 0; i < text->size(); ++i)
    start.rows.push_back(RandomLoras(5).normal({2, (*text)[i].model->config().hidden_size}).mul(0.02));
  return must(
      Trainer::textual_inversion({g.unet(), text}, golden_schedule(g), start, options_of(g, OptimizerKind::adamw)));
}

std::vector<TrainingBatch> with_word(const GoldenFolder& g, int64_t step) {
  TrainingBatch batch = golden_batch_of_ids(g, step);
  const auto text = golden_text_encoders(g);
  for (size_t i = 0; i < text->size(); ++i) {
    at::Tensor& ids = batch.text_ids.per_encoder[i];
    ids = ids.clone();
    const int64_t first = (*text)[i].model->config().vocab_size;
    ids.select(2, 3).fill_(first);
    ids.select(2, 4).fill_(first + 1);
  }
  return {batch};
}

Trainer full(const GoldenFolder& g, bool with_text, OptimizerKind optimizer, at::ScalarType dtype = at::kFloat) {
  WeightsStart start = golden_weights(g, with_text);
  start.options.dtype = dtype;
  TrainingOptions options = options_of(g, optimizer);
  options.ema_decay = 0.5;
  return must(Trainer::full(start, golden_schedule(g), options));
}

const std::vector<Mode>& modes() {
  static const std::vector<Mode> modes{
      {"Lora", [](const GoldenFolder& g) { return lora(g, options_of(g, OptimizerKind::adamw)); }, one},
      {"LoraWithEverything", lora_with_everything,
       [](const GoldenFolder& g, int64_t step) {
         return std::vector{golden_batch(g, 2 * step), golden_batch(g, 2 * step + 1)};
       }},
      {"TextLoraAndLoCon", text_and_unet_lora, one_of_ids},
      {"TextualInversion", word, with_word},
      {"Full", [](const GoldenFolder& g) { return full(g, false, OptimizerKind::adamw); }, one},
      {"FullWithText", [](const GoldenFolder& g) { return full(g, true, OptimizerKind::adafactor); }, one_of_ids},
      {"FullInBfloat16", [](const GoldenFolder& g) { return full(g, false, OptimizerKind::adamw, at::kBFloat16); },
       one},
  };
  return modes;
}

class TrainerModes : public ::testing::TestWithParam<std::tuple<Mode, std::string>> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    golden = std::make_unique<GoldenFolder>(std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden" /
                                            std::get<1>(GetParam()));
  }

  void train(Trainer& training, int64_t steps) const {
    for (int64_t i = 0; i < steps; ++i) must(training.step(mode.batches(*golden, training.steps())));
  }

  const Mode mode = std::get<0>(GetParam());
  std::unique_ptr<GoldenFolder> golden;
};

std::string mode_name(const ::testing::TestParamInfo<std::tuple<Mode, std::string>>& info) {
  return std::get<0>(info.param).name + "_" + std::get<1>(info.param);
}

void PrintTo(const Mode& mode, std::ostream* stream) { *stream << mode.name; }

INSTANTIATE_TEST_SUITE_P(Own, TrainerModes,
                         ::testing::Combine(::testing::ValuesIn(modes()), ::testing::Values("sd1_tiny", "sdxl_tiny")),
                         mode_name);

TEST_P(TrainerModes, GoOnToTheBitFromEveryCheckpoint) {
  constexpr int64_t kSteps = 5;
  Trainer whole = mode.begin(*golden);
  std::vector<TrainerState> checkpoints;
  for (int64_t i = 0; i < kSteps; ++i) {
    checkpoints.push_back(whole.state());
    train(whole, 1);
  }
  const TrainerState end = whole.state();
  EXPECT_FALSE(equal_bits(end, checkpoints.back()));
  for (const int64_t from : {0, 1, 3, 4}) {
    Trainer again = mode.begin(*golden);
    must(again.restore({checkpoints[static_cast<size_t>(from)]}));
    EXPECT_EQ(again.steps(), from);
    train(again, kSteps - from);
    EXPECT_TRUE(equal_bits(again.state(), end)) << "from step " << from;
  }
}

TEST_P(TrainerModes, TrainsEveryTensorAndNamesTheResultsAlike) {
  Trainer training = mode.begin(*golden);
  const TrainedValues before = training.values();
  train(training, 4);  // the warm-up begins at a rate of zero, and an overflow may cost a step
  int64_t changed = 0;
  for (const auto& [name, value] : training.values()) changed += !at::equal(value, before.at(name));
  // What no state depends on does not change: a last layer that SDXL does not use, its norm, and its projection of one.
  EXPECT_GT(changed, static_cast<int64_t>(before.size()) * 8 / 10);
}

TEST_P(TrainerModes, TakesTheBestValuesBack) {
  Trainer training = mode.begin(*golden);
  train(training, 2);
  const TrainedValues best = training.values();
  const at::Tensor loss = must(training.losses(mode.batches(*golden, 0)[0]));
  train(training, 2);
  must(training.set_values(best));
  for (const auto& [name, value] : training.values()) EXPECT_TRUE(at::equal(value, best.at(name))) << name;
  EXPECT_TRUE(at::equal(must(training.losses(mode.batches(*golden, 0)[0])), loss));
}

}  // namespace
}  // namespace atelier::diffusion
