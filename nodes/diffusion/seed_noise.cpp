#include "diffusion/seed_noise.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

namespace atelier::diffusion {

SeedNoise::SeedNoise(std::span<const uint64_t> seeds, std::vector<int64_t> shape)
    : seeds_(seeds.begin(), seeds.end()), shape_(std::move(shape)) {
  for (const uint64_t seed : seeds_) generators_.push_back(at::detail::createCPUGenerator(seed));
}

at::Tensor SeedNoise::fresh() {
  std::vector<at::Tensor> rows;
  for (at::Generator& generator : generators_)
    rows.push_back(at::randn(shape_, generator, at::TensorOptions().dtype(at::kFloat)));
  return at::cat(rows);
}

DrawNoise SeedNoise::for_steps(StepNoise kind, double greatest_sigma) {
  if (kind == StepNoise::none) return {};
  if (kind == StepNoise::fresh) return [this](double, double) { return fresh(); };
  for (const uint64_t seed : seeds_) paths_.emplace_back(seed, shape_, greatest_sigma);
  return [this](double from, double to) {
    std::vector<at::Tensor> rows;
    for (const BrownianPath& path : paths_) rows.push_back(path.unit_increment(from, to));
    return at::cat(rows);
  };
}

}  // namespace atelier::diffusion
