// The models of a golden folder that a LoRA can change, and one random LoRA for all of their layers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "diffusion/lora_algebra.h"
#include "diffusion/lora_fuse.h"
#include "golden_unet.h"
#include "random_loras.h"

namespace atelier::diffusion {

inline std::size_t encoder_count(const GoldenFolder& golden) { return golden.sdxl() ? 2 : 1; }

inline LoraPart encoder_part(std::size_t encoder) {
  return encoder == 0 ? LoraPart::text_encoder : LoraPart::text_encoder_2;
}

/// A golden of an encoder: text0.ids, lora_full.text1.last.
inline const at::Tensor& text_golden(const GoldenFolder& golden, std::size_t encoder, const std::string& name,
                                     const std::string& before = "") {
  return golden[before + "text" + std::to_string(encoder) + "." + name];
}

/// The encoder with other weights.
inline std::shared_ptr<const ClipTextModel> text_model_of(const GoldenFolder& golden, std::size_t encoder,
                                                          WeightMap weights) {
  const auto config = golden.json(golden.text_part("text_encoder", encoder) + "/config.json");
  WeightReader reader(std::move(weights), "text_encoder");
  return must(
      ClipTextModel::create(must(parse_text_config(config, "config.json")), reader, text_encoder_prefix(encoder)));
}

/// float32 copies: float16 would round what is added.
inline WeightMap in_float32(WeightMap weights) {
  for (auto& [name, weight] : weights)
    if (weight.is_floating_point()) weight = weight.to(at::kFloat);
  return weights;
}

/// Every layer of the UNet and the text encoders, with unequal ranks and alphas, each moving its weight by `size`
/// (Frobenius).
inline Lora random_lora(const GoldenFolder& golden, double size, uint64_t seed) {
  std::vector<LoraTarget> targets = golden.unet()->adaptable_layers();
  for (std::size_t i = 0; i < encoder_count(golden); ++i) {
    const auto model = golden.text_model(i);
    targets.insert(targets.end(), model->adaptable_layers().begin(), model->adaptable_layers().end());
  }
  RandomLoras random(seed);
  Lora lora;
  for (const LoraTarget& target : targets) {
    LoraLayer layer = random.layer(target.weight_shape);
    layer.alpha *= size / norm(layer);
    lora.layers[target.name] = layer;
  }
  lora.base = LoraBase{golden.architecture()};
  return lora;
}

}  // namespace atelier::diffusion
