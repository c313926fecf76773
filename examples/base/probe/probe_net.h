// probe: the network: convolutions from 128 px down to 4 x 4 places, then one linear layer for all answers.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "diffusion/weight_map.h"
#include "diffusion/weights.h"

namespace atelier::probe {

// Shapes are those of probe_targets.h and identity.h.
struct Answers {
  at::Tensor scores;      // [N, V] logits: the values of the first attribute, then of the second, …
  at::Tensor identities;  // [N, I]
};

class ProbeNet {
 public:
  // Random weights (He et al., "Delving deep into rectifiers", 2015).
  static ProbeNet random(std::int64_t seed);
  // `origin` names the file in messages. Errors: missing weights and wrong shapes, named. The weights are shared where
  // they are float32 on the CPU.
  static diffusion::Result<ProbeNet> create(const diffusion::WeightMap& weights, const std::string& origin);

  // `pictures`: [N, 3, 128, 128] float32 in [0, 1], RGB.
  Answers forward(const at::Tensor& pictures) const;

  // By name, float32, shared with the network.
  const diffusion::WeightMap& weights() const { return weights_; }

 private:
  explicit ProbeNet(diffusion::WeightReader& reader);
  at::Tensor taken(diffusion::WeightReader& reader, const std::string& name, at::IntArrayRef shape);

  struct Block {
    at::Tensor weight, norm_weight, norm_bias;
    std::int64_t stride;
  };
  diffusion::WeightMap weights_;
  std::vector<Block> blocks_;
  at::Tensor squeeze_weight_, squeeze_bias_, answer_weight_, answer_bias_;
};

}  // namespace atelier::probe
