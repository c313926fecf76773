// The estimate of a training's memory against what a small one holds: every tensor that is made on the CPU is counted,
// so that the figures are the same in every run.
#include "diffusion/training_memory.h"

#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>
#include <torch/version.h>

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "diffusion/lora_targets.h"
#include "diffusion/trainer.h"
#include "random_loras.h"
#include "random_text_encoders.h"

namespace atelier::diffusion {
namespace {

std::atomic<int64_t> bytes_now = 0, bytes_most = 0;

/// libtorch's allocator on the CPU, with an account of it: how long each block is stands before it.
class CountingAllocator final : public c10::Allocator {
 public:
#if TORCH_VERSION_MAJOR >= 2
  c10::DataPtr allocate(size_t bytes) override { return counted(bytes); }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
#else
  c10::DataPtr allocate(size_t bytes) const override { return counted(bytes); }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return &free; }

  static c10::Allocator* real;

 private:
  static constexpr size_t kBefore = 64;  // as libtorch aligns

  static c10::DataPtr counted(size_t bytes) {
    auto* block = static_cast<std::byte*>(real->raw_allocate(bytes + kBefore));
    *reinterpret_cast<int64_t*>(block) = static_cast<int64_t>(bytes);
    const int64_t now = bytes_now += static_cast<int64_t>(bytes);
    for (int64_t most = bytes_most; now > most && !bytes_most.compare_exchange_weak(most, now);) {
    }
    return {block + kBefore, block + kBefore, &free, c10::Device(c10::kCPU)};
  }

  static void free(void* memory) {
    if (!memory) return;
    auto* block = static_cast<std::byte*>(memory) - kBefore;
    bytes_now -= *reinterpret_cast<int64_t*>(block);
    real->raw_deallocate(block);
  }
};

c10::Allocator* CountingAllocator::real = nullptr;

/// Counts while it lives. What was made meanwhile may outlive it.
class Counting {
 public:
  Counting() : before_(c10::GetCPUAllocator()) {
    static CountingAllocator allocator;
    CountingAllocator::real = before_;
    c10::SetCPUAllocator(&allocator, kAnyPriority);
    start_ = bytes_now;
    bytes_most = start_;
  }
  ~Counting() { c10::SetCPUAllocator(before_, kAnyPriority); }
  /// The most there was beyond the beginning.
  double most() const { return static_cast<double>(bytes_most - start_); }

 private:
  static constexpr uint8_t kAnyPriority = 255;
  c10::Allocator* before_;
  int64_t start_ = 0;
};

/// A UNet of SD's make whose maps weigh as much as its weights.
TrainingShape small_training(TrainedWeights trained) {
  TrainingShape shape;
  shape.unet.levels = {{64, true, 2, 1}, {128, true, 4, 2}};
  shape.unet.cross_attention_dim = 64;
  shape.trained = trained;
  shape.rank = 8;
  shape.height = 16;
  shape.width = 24;
  return shape;
}

/// Weights that take no memory until a model takes them: one number each, seen as many.
WeightMap alike(const UNetConfig& config) {
  WeightReader blank = WeightReader::blank();
  must(UNet::create(config, blank));
  WeightMap weights;
  for (const auto& [name, shape] : blank.asked()) weights[name] = at::full({}, 1e-3).expand(shape);
  return weights;
}

Trainer begin(const TrainingShape& shape) {
  const WeightMap weights = alike(shape.unet);
  const NoiseSchedule schedule = must(NoiseSchedule::create(SchedulerConfig{}));
  TrainingOptions options;
  options.rate.steps = 10;
  options.optimizer = shape.optimizer;
  options.ema_decay = shape.averages ? 0.9 : 0;
  options.gradient_checkpointing = shape.gradient_checkpointing;
  if (shape.trained == TrainedWeights::all) {
    WeightsStart start{.unet_config = shape.unet, .unet = weights, .targets = shape.targets};
    start.options.dtype = shape.dtype;
    return must(Trainer::full(start, schedule, options));
  }
  WeightReader reader(weights, "weights", {at::kCPU, shape.dtype});
  TrainingBase base{.unet = must(UNet::create(shape.unet, reader))};
  if (!shape.text.empty())
    base.text = std::make_shared<const TextEncoders>(
        must(TextEncoders::create(Architecture::sd1, {test::random_text_encoder(64, 5, 599, false).encoder})));
  if (shape.trained == TrainedWeights::words)
    return must(Trainer::textual_inversion(base, schedule, {{at::ones({1, 64})}}, options));
  std::vector<LoraTarget> layers = base.unet->adaptable_layers();
  if (shape.train_text)
    for (const LoraTarget& layer : base.text->adaptable_layers()) layers.push_back(layer);
  const LoraShape ranks{.rank = shape.rank, .conv_rank = shape.conv_rank};
  const Lora start = initial_lora(must(select_lora_targets(layers, ranks, shape.targets)), ranks,
                                  [](std::string_view, std::span<float> values) { std::ranges::fill(values, 0.5F); });
  return must(Trainer::lora(base, schedule, {.loras = {start}}, options));
}

TrainingBatch batch_of(const TrainingShape& shape) {
  RandomLoras random(1);
  TrainingBatch batch;
  batch.latents = random.normal({shape.rows, 4, shape.height, shape.width});
  batch.noise = random.normal({shape.rows, 4, shape.height, shape.width});
  batch.timesteps = at::full({shape.rows}, 500, at::kLong);
  batch.masks = at::ones({shape.rows, 1, shape.height, shape.width});
  if (shape.text.empty()) {
    batch.text.context = random.normal({shape.rows, shape.tokens, 64});
    return batch;
  }
  const int64_t word = shape.trained == TrainedWeights::words ? shape.text[0].vocab_size : 7;
  batch.text_ids.per_encoder = {at::full({shape.rows, 1, shape.tokens}, word, at::kLong)};
  return batch;
}

/// Of two steps.
double estimate_over_peak(const TrainingShape& shape) {
  const auto estimate = static_cast<double>(training_memory(shape).total());
  const Counting counting;
  Trainer trainer = begin(shape);
  const std::vector<TrainingBatch> batches(shape.several_passes ? 2 : 1, batch_of(shape));
  for (int i = 0; i < 2; ++i) must(trainer.step(batches));
  return estimate / counting.most();
}

/// The estimate counts the holes of malloc's heap too, which no tensor has.
constexpr double kLeast = 1.0, kMost = 1.15;

void expect_holds(const TrainingShape& shape) {
  const double ratio = estimate_over_peak(shape);
  EXPECT_GE(ratio, kLeast);
  EXPECT_LE(ratio, kMost);
}

TEST(MemoryOfATraining, IsWhatALoraTakes) { expect_holds(small_training(TrainedWeights::lora)); }

TEST(MemoryOfATraining, GrowsWithTheRowsOfAPass) {
  TrainingShape shape = small_training(TrainedWeights::lora);
  shape.rows = 2;
  expect_holds(shape);
}

TEST(MemoryOfATraining, IsLessWhereBlocksAreComputedAgain) {
  TrainingShape shape = small_training(TrainedWeights::lora);
  shape.rows = 2;
  shape.gradient_checkpointing = true;
  expect_holds(shape);
}

TEST(MemoryOfATraining, HoldsMatricesOfScoresInBfloat16) {
  TrainingShape shape = small_training(TrainedWeights::lora);
  shape.dtype = at::kBFloat16;
  expect_holds(shape);
  shape.unet.upcast_attention = true;
  expect_holds(shape);
}

TEST(MemoryOfATraining, IsWhatALoConAndATextEncodersLoraTake) {
  TrainingShape shape = small_training(TrainedWeights::lora);
  shape.conv_rank = 4;
  shape.train_text = true;
  shape.text = {test::random_text_encoder(64, 5, 599, false).encoder.model->config()};
  expect_holds(shape);
}

TEST(MemoryOfATraining, IsWhatANewWordTakes) {
  TrainingShape shape = small_training(TrainedWeights::words);
  shape.text = {test::random_text_encoder(64, 5, 599, false).encoder.model->config()};
  expect_holds(shape);
}

TEST(MemoryOfATraining, IsWhatAllWeightsTake) {
  TrainingShape shape = small_training(TrainedWeights::all);
  expect_holds(shape);
  shape.averages = true;
  shape.several_passes = true;
  expect_holds(shape);
}

TEST(MemoryOfATraining, IsWhatAllWeightsTakeInBfloat16) {
  TrainingShape shape = small_training(TrainedWeights::all);
  shape.dtype = at::kBFloat16;
  expect_holds(shape);
  shape.optimizer = OptimizerKind::adafactor;
  shape.gradient_checkpointing = true;
  expect_holds(shape);
}

TEST(MemoryOfATraining, TellsWhatACheckpointCopiesBeside) {
  TrainingShape shape = small_training(TrainedWeights::all);
  shape.averages = true;
  const Trainer trainer = begin(shape);
  const Counting counting;
  const TrainerState state = trainer.state();
  EXPECT_NEAR(static_cast<double>(training_memory(shape).checkpoint), counting.most(), 0.01 * counting.most());
}

TEST(MemoryOfATraining, IsWhatChosenWeightsTake) {
  TrainingShape shape = small_training(TrainedWeights::all);
  shape.targets = {"attn2.to_k", "attn2.to_v"};
  expect_holds(shape);
}

}  // namespace
}  // namespace atelier::diffusion
