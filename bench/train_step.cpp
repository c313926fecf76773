// Seconds a step of LoRA training, median: what bench/peers/train_step.py asks diffusers and peft.
//   train_step MODEL LATENT_SIDE RANK STEPS THREADS
#include <ATen/Parallel.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "diffusion/lora_trainer.h"
#include "diffusion/base_model.h"

namespace {
using namespace atelier::diffusion;

constexpr int kWarmUpSteps = 3;

template <class T>
T or_exit(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "train_step: %s\n", result.error().message.c_str());
  std::exit(1);
}

double median_step_s(LoraTrainer& trainer, std::int64_t context_width, std::int64_t side, int steps) {
  std::vector<double> times;
  for (int i = 0; i < steps + kWarmUpSteps; ++i) {
    TrainingBatch batch;
    batch.latents = at::randn({1, 4, side, side});
    batch.noise = at::randn({1, 4, side, side});
    batch.timesteps = at::randint(1000, {1}, at::kLong);
    batch.context = at::randn({1, 77, context_width});
    batch.masks = at::rand({1, 1, side, side});
    const auto start = std::chrono::steady_clock::now();
    or_exit(trainer.step(batch));
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (i >= kWarmUpSteps) times.push_back(passed.count());
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: train_step MODEL LATENT_SIDE RANK STEPS THREADS\n");
    return 2;
  }
  const std::int64_t side = std::atol(argv[2]), rank = std::atol(argv[3]);
  at::set_num_threads(std::atoi(argv[5]));
  const auto folder = or_exit(BaseModel::open(argv[1]));
  const auto unet = or_exit(folder.unet());
  std::mt19937 random(0);  // NOLINT: the numbers do not matter
  const auto targets = unet->lora_targets();
  const Lora initial =
      initial_lora(targets, rank, static_cast<double>(rank), [&](std::string_view, std::span<float> values) {
        for (float& x : values) x = std::uniform_real_distribution<float>(0, 1)(random);
      });
  TrainingOptions options;
  options.rate.steps = 1000;
  auto trainer =
      or_exit(LoraTrainer::create(unet, or_exit(NoiseSchedule::create(folder.scheduler_config())), {initial}, options));
  std::printf("%.6f\n", median_step_s(trainer, unet->config().cross_attention_dim, side, std::atoi(argv[4])));
}
