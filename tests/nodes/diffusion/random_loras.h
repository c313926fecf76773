// LoRAs with random factors, for tests of laws.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <string>
#include <vector>

#include "diffusion/lora.h"

namespace atelier::diffusion {

/// Numbers that depend on nothing but a seed.
class RandomLoras {
 public:
  explicit RandomLoras(uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

  at::Tensor normal(at::IntArrayRef shape) { return at::randn(shape, generator_, at::TensorOptions(at::kFloat)); }

  int64_t between(int64_t least, int64_t greatest) {
    return at::randint(least, greatest + 1, {1}, generator_, at::TensorOptions(at::kLong)).item<int64_t>();
  }

  /// A layer for a weight of that shape, with a rank of 1 to 9 and an alpha that has nothing to do with it.
  LoraLayer layer(const std::vector<int64_t>& weight_shape) {
    std::vector<int64_t> down = weight_shape;
    down[0] = between(1, 9);
    const double alpha = 0.25 * static_cast<double>(between(1, 40));
    return {.a = normal(down), .b = normal({weight_shape[0], down[0]}), .alpha = alpha};
  }

  /// Linear layers, 1x1 and 3x3 convolutions of random sizes, the same shapes for every call.
  Lora lora() {
    if (targets_.empty()) {
      for (int i = 0; i < 3; ++i) {
        const std::string block = "down_blocks." + std::to_string(i);
        const int64_t out = between(3, 40), in = between(3, 40);
        targets_.push_back({block + ".attentions.0.transformer_blocks.0.attn1.to_q", {out, in}});
        targets_.push_back({block + ".attentions.0.proj_in", {out, in, 1, 1}});
        targets_.push_back({block + ".resnets.0.conv1", {out, in, 3, 3}});
      }
    }
    Lora lora;
    for (const LoraTarget& target : targets_) lora.layers[target.name] = layer(target.weight_shape);
    return lora;
  }

 private:
  at::Generator generator_;
  std::vector<LoraTarget> targets_;
};

/// ||dW - wanted|| of a layer, in float64.
inline double distance(const at::Tensor& delta, const at::Tensor& wanted) {
  return (delta.to(at::kDouble) - wanted.to(at::kDouble)).norm().item<double>();
}

/// dW computed in float64, by the definition.
inline at::Tensor exact_delta(const LoraLayer& layer) {
  return (at::mm(layer.b.to(at::kDouble), layer.a.flatten(1).to(at::kDouble)) * layer.scale())
      .view(layer.delta_shape());
}

}  // namespace atelier::diffusion
