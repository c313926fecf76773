// The memory that a training takes, against what training_memory() says beforehand.
//   memory ARCH MODE SIDE DTYPE CHECKPOINTING THREADS
// ARCH is sd1, sd2 or sdxl, in the published sizes, with weights that are all alike; MODE lora or full (adafactor for
// sdxl, whose moments no machine of 24 GiB holds); SIDE of the latents; DTYPE float32 or bfloat16; CHECKPOINTING yes or
// no. Prints estimate and peak, in bytes: what the process held beyond its start, files aside.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "diffusion/lora_targets.h"
#include "diffusion/trainer.h"
#include "diffusion/training_memory.h"

namespace {
using namespace atelier::diffusion;

template <class T>
T or_exit(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "memory: %s\n", result.error().message.c_str());
  std::exit(1);
}

/// The process's own memory now, without mapped files.
int64_t own_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::atoll(line.c_str() + 8) * 1024;
  return 0;
}

/// The most that own_bytes() gives from its making on, looked at every two milliseconds.
class Peak {
 public:
  Peak()
      : watcher_([this] {
          while (!done_) {
            most_ = std::max(most_, own_bytes());
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
          }
        }) {}
  ~Peak() { stop(); }
  int64_t stop() {
    done_ = true;
    if (watcher_.joinable()) watcher_.join();
    return most_;
  }

 private:
  std::atomic<bool> done_ = false;
  int64_t most_ = 0;
  std::thread watcher_;
};

UNetConfig published(const std::string& arch) {
  UNetConfig config;
  if (arch == "sd1") return config;
  config.linear_projection = true;
  if (arch == "sd2") {
    config.levels = {{320, true, 5, 1}, {640, true, 10, 1}, {1280, true, 20, 1}, {1280, false, 20, 1}};
    config.cross_attention_dim = 1024;
    return config;
  }
  config.levels = {{320, false, 5, 1}, {640, true, 10, 2}, {1280, true, 20, 10}};
  config.cross_attention_dim = 2048;
  config.text_time = TextTimeConfig{};
  return config;
}

/// Weights that take no memory until a model takes them: one number each, seen as many.
WeightMap alike(const UNetConfig& config) {
  WeightReader shapes = WeightReader::blank();
  or_exit(UNet::create(config, shapes));
  WeightMap weights;
  for (const auto& [name, shape] : shapes.asked()) weights[name] = at::full({}, 1e-3).expand(shape);
  return weights;
}

Trainer trainer_of(const TrainingShape& shape) {
  const auto schedule = or_exit(NoiseSchedule::create(SchedulerConfig{}));
  TrainingOptions options;
  options.rate.steps = 1000;
  options.optimizer = shape.optimizer;
  options.gradient_checkpointing = shape.gradient_checkpointing;
  if (shape.trained == TrainedWeights::all)
    return or_exit(Trainer::full(
        {.unet_config = shape.unet, .unet = alike(shape.unet), .options = {at::kCPU, shape.dtype}}, schedule, options));
  WeightReader weights(alike(shape.unet), "weights", {at::kCPU, shape.dtype});
  const auto unet = or_exit(UNet::create(shape.unet, weights));
  const Lora start = initial_lora(unet->lora_targets(), shape.rank, static_cast<double>(shape.rank),
                                  [](std::string_view, std::span<float> values) { std::ranges::fill(values, 0.5F); });
  return or_exit(Trainer::lora({.unet = unet}, schedule, {.loras = {start}}, options));
}

TrainingBatch batch_of(const TrainingShape& shape) {
  TrainingBatch batch;
  batch.latents = at::randn({1, 4, shape.height, shape.width});
  batch.noise = at::randn({1, 4, shape.height, shape.width});
  batch.timesteps = at::randint(1000, {1}, at::kLong);
  batch.text.context = at::randn({1, shape.tokens, shape.unet.cross_attention_dim});
  if (shape.unet.text_time) {
    batch.text.pooled = at::randn({1, shape.unet.text_time->pooled()});
    batch.time_ids = at::full({1, TextTimeConfig::kSizes}, 1024.0);
  }
  batch.masks = at::rand({1, 1, shape.height, shape.width});
  return batch;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: memory ARCH MODE SIDE DTYPE CHECKPOINTING THREADS\n");
    return 2;
  }
  const std::string arch = argv[1];
  TrainingShape shape;
  shape.unet = published(arch);
  shape.trained = std::string(argv[2]) == "full" ? TrainedWeights::all : TrainedWeights::lora;
  shape.height = shape.width = std::atol(argv[3]);
  shape.dtype = std::string(argv[4]) == "bfloat16" ? at::kBFloat16 : at::kFloat;
  shape.gradient_checkpointing = std::string(argv[5]) == "yes";
  if (shape.trained == TrainedWeights::all && arch == "sdxl") shape.optimizer = OptimizerKind::adafactor;
  at::set_num_threads(std::atoi(argv[6]));

  const TrainingMemory estimate = training_memory(shape);
  const int64_t before = own_bytes();
  Peak peak;
  Trainer trainer = trainer_of(shape);
  for (int i = 0; i < 2; ++i) or_exit(trainer.step(batch_of(shape)));
  std::puts(
      fmt::format(R"({{"estimate": {}, "peak": {}, "weights": {}, "trained": {}, "activations": {}, "workspace": {}}})",
                  estimate.total(), peak.stop() - before, estimate.weights, estimate.trained, estimate.activations,
                  estimate.workspace)
          .c_str());
}
