// Steps of LoRA training: what bench/peers/train_step.py asks diffusers and peft, in the same words.
//   train_step MODEL LATENT_SIDE RANK THREADS
// MODEL is a diffusers folder, or `sd15`: random weights in SD 1.5's size. Prints a JSON object once it is ready, then
// for every number N on its standard input takes N steps and prints the seconds a step took, and at the end of its
// input prints its peak memory in bytes.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <string>

#include "diffusion/initial_weights.h"
#include "diffusion/trainer.h"
#include "diffusion/base_model.h"

namespace {
using namespace atelier::diffusion;

constexpr uint64_t kSeed = 7;
constexpr int64_t kTokens = 77;

template <class T>
T or_exit(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "train_step: %s\n", result.error().message.c_str());
  std::exit(1);
}

struct Model {
  std::shared_ptr<const UNet> unet;
  SchedulerConfig schedule;
};

Model random_sd15() {
  const UNetConfig config;  // its defaults are SD 1.5's
  WeightReader shapes = WeightReader::blank();
  or_exit(UNet::create(config, shapes));
  WeightReader weights(initial_weights(shapes.asked(), kSeed), "random weights");
  return {or_exit(UNet::create(config, weights)), {}};
}

Model load(const std::string& name) {
  if (name == "sd15") return random_sd15();
  const auto folder = or_exit(BaseModel::open(name));
  return {or_exit(folder.unet()), folder.scheduler_config()};
}

Trainer trainer_of(const Model& model, int64_t rank) {
  std::mt19937 random(kSeed);
  const auto uniform = [&](std::string_view, std::span<float> values) {
    for (float& x : values) x = std::uniform_real_distribution<float>(0, 1)(random);
  };
  TrainingOptions options;
  options.rate.steps = 1000;
  return or_exit(Trainer::lora(
      {model.unet}, or_exit(NoiseSchedule::create(model.schedule)),
      {{initial_lora(model.unet->lora_targets(), rank, static_cast<double>(rank), uniform)}}, options));
}

TrainingBatch random_batch(int64_t context_width, int64_t side) {
  TrainingBatch batch;
  batch.latents = at::randn({1, 4, side, side});
  batch.noise = at::randn({1, 4, side, side});
  batch.timesteps = at::randint(1000, {1}, at::kLong);
  batch.text.context = at::randn({1, kTokens, context_width});
  batch.masks = at::rand({1, 1, side, side});
  return batch;
}

double seconds_a_step(Trainer& trainer, int64_t context_width, int64_t side, int count) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) or_exit(trainer.step(random_batch(context_width, side)));
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  return passed.count() / count;
}

/// The most memory this process has held so far, in bytes; 0 where the system does not tell.
int64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::atoll(line.c_str() + 6) * 1024;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: train_step MODEL LATENT_SIDE RANK THREADS\n");
    return 2;
  }
  const int64_t side = std::atol(argv[2]);
  at::set_num_threads(std::atoi(argv[4]));
  Model model = load(argv[1]);
  const int64_t context_width = model.unet->config().cross_attention_dim;
  Trainer trainer = trainer_of(model, std::atol(argv[3]));
  seconds_a_step(trainer, context_width, side, 1);  // the first step starts threads and fills pools
  std::cout << "{}" << std::endl;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << fmt::format("{:.6f}", seconds_a_step(trainer, context_width, side, std::atoi(line.c_str())))
              << std::endl;
  std::cout << peak_bytes() << std::endl;
}
