#include "diffusion/initial_weights.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string_view>

namespace atelier::diffusion {
namespace {

constexpr double kEmbeddingStd = 0.02;

/// Steele et al. 2014, "Fast splittable pseudorandom number generators": a bijection, so no two states collide.
uint64_t splitmix64(uint64_t& state) {
  uint64_t z = (state += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

/// FNV-1a, mixed with the seed.
uint64_t stream_of(uint64_t seed, std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  uint64_t state = seed;
  return hash ^ splitmix64(state);
}

at::Tensor uniform(const std::vector<int64_t>& shape, double bound, uint64_t stream) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  auto* values = tensor.data_ptr<float>();
  constexpr double kUnit = 1.0 / (1 << 24);  // 24 bits: every value is exact in float32
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    const auto u = static_cast<double>(splitmix64(stream) >> 40) * kUnit;
    values[i] = static_cast<float>((2 * u - 1) * bound);
  }
  return tensor;
}

std::string with_suffix(const std::string& name, std::string_view from, std::string_view to) {
  return name.substr(0, name.size() - from.size()) + std::string(to);
}

/// Of a weight [out, in, …]: in times the kernel.
double fan_in(const std::vector<int64_t>& weight_shape) {
  double fan = 1;
  for (std::size_t i = 1; i < weight_shape.size(); ++i) fan *= static_cast<double>(weight_shape[i]);
  return fan;
}

}  // namespace

WeightMap initial_weights(const std::map<std::string, std::vector<int64_t>>& shapes, uint64_t seed) {
  constexpr std::string_view kBias = ".bias", kWeight = ".weight";
  WeightMap weights;
  for (const auto& [name, shape] : shapes) {
    const bool bias = name.ends_with(kBias);
    const auto& weight_shape = bias ? shapes.at(with_suffix(name, kBias, kWeight)) : shape;
    if (name.find("_embedding.weight") != std::string::npos) {
      weights[name] = uniform(shape, kEmbeddingStd * std::sqrt(3.0), stream_of(seed, name));
    } else if (weight_shape.size() == 1) {
      weights[name] = bias ? at::zeros(shape, at::kFloat) : at::ones(shape, at::kFloat);
    } else {
      weights[name] = uniform(shape, 1.0 / std::sqrt(fan_in(weight_shape)), stream_of(seed, name));
    }
  }
  return weights;
}

}  // namespace atelier::diffusion
