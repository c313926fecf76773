// LoRAs of the tiny base for the tests of the nodes that work on them.
#pragma once
#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

#include "model/loras.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"

namespace atelier {

inline constexpr const char* kQuery = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
inline constexpr const char* kKey = "mid_block.attentions.0.transformer_blocks.0.attn1.to_k";

// A LoRA of the given layers, drawn from its name; `deviation` is that of the factors.
inline LoraSet lora_named(const std::string& name, std::int64_t rank, double alpha,
                          const std::vector<std::string>& layers = {kQuery, kKey}, float deviation = 1) {
  LoraSet lora;
  for (const auto& layer : layers)
    lora.layers[layer] = {normal_tensor({rank, 32}, name + layer + "A", deviation),
                          normal_tensor({32, rank}, name + layer + "B", deviation), alpha};
  lora.base = base_digest(*Model::from(tiny_base()));
  return lora;
}

// dW in float64.
inline at::Tensor delta(const LoraSet& lora, const std::string& layer) {
  return as_diffusion(lora).layers.at(layer).delta().to(at::kDouble);
}

inline double size_of(const at::Tensor& matrix) { return matrix.norm().item<double>(); }

// ||one - other|| / ||other||.
inline double distance(const at::Tensor& one, const at::Tensor& other) { return size_of(one - other) / size_of(other); }

inline std::int64_t rank_of(const LoraSet& lora, const std::string& layer) {
  return lora.layers.at(layer).a.shape()[0];
}

inline LoraSet lora_out(const Expected<Outputs>& outputs) { return *LoraSet::from(outputs.value().at("lora")); }

// What a node says of params before anything runs.
inline std::vector<std::string> checked(const Node& node, const std::map<std::string, Value>& given,
                                        const std::map<std::string, std::size_t>& list_sizes = {}) {
  return node.check(Params(node.spec(), given), list_sizes);
}

}  // namespace atelier
