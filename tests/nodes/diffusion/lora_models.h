// The models of a golden folder that a LoRA can change, and one random LoRA for all of their layers.
#pragma once

#include <ATen/core/grad_mode.h>

#include <memory>
#include <string>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/clip_text.h"
#include "diffusion/lora_algebra.h"
#include "diffusion/lora_fuse.h"
#include "golden_unet.h"
#include "random_loras.h"

namespace atelier::diffusion {

/// Folders, LoRA parts and goldens' names of the text encoders, in the base's order.
struct EncoderNames {
  const char *folder, *golden;
  LoraPart part;
  std::string_view prefix;
};
inline constexpr EncoderNames kEncoders[] = {
    {"text_encoder", "text0", LoraPart::text_encoder, kTextEncoderPrefix},
    {"text_encoder_2", "text1", LoraPart::text_encoder_2, kTextEncoder2Prefix}};

inline std::vector<EncoderNames> encoders_of(const GoldenFolder& golden) {
  std::vector<EncoderNames> names;
  for (const EncoderNames& encoder : kEncoders)
    if (std::filesystem::exists(golden.path / "model" / encoder.folder)) names.push_back(encoder);
  return names;
}

inline WeightMap text_weights(const GoldenFolder& golden, const EncoderNames& encoder) {
  return must(must(Safetensors::open(golden.path / "model" / encoder.folder / "model.safetensors")).tensors());
}

/// The encoder with these weights.
inline std::shared_ptr<const ClipTextModel> text_model(const GoldenFolder& golden, const EncoderNames& encoder,
                                                       WeightMap weights) {
  const auto config =
      must(parse_text_config(read_json(golden.path / "model" / encoder.folder / "config.json"), encoder.folder));
  WeightReader reader(std::move(weights), encoder.folder);
  return must(ClipTextModel::create(config, reader, encoder.prefix));
}

/// float32 copies: float16 would round what is added.
inline WeightMap in_float32(WeightMap weights) {
  for (auto& [name, weight] : weights)
    if (weight.is_floating_point()) weight = weight.to(at::kFloat);
  return weights;
}

/// The golden inputs of the UNet.
inline UNetInput golden_input(const GoldenFolder& golden) {
  UNetInput input{golden["unet.sample"], golden["unet.t"], golden["unet.context"]};
  if (golden.facts.value("variant", "") == "sdxl") {
    input.pooled = golden["text1.embeds"];
    input.time_ids = at::tensor({96, 160, 3, 5, 112, 144, 128, 64, 0, 7, 80, 96, 200, 120, 9, 0, 64, 128}, at::kFloat)
                         .view({3, 6});  // TIME_IDS of goldens.py
  }
  return input;
}

/// Every layer that can be adapted, with unequal ranks and alphas, each moving its weight by `size` (Frobenius).
inline Lora random_lora(const std::vector<LoraTarget>& targets, double size, uint64_t seed) {
  RandomLoras random(seed);
  Lora lora;
  for (const LoraTarget& target : targets) {
    LoraLayer layer = random.layer(target.weight_shape);
    layer.alpha *= size / norm(layer);
    lora.layers[target.name] = layer;
  }
  return lora;
}

}  // namespace atelier::diffusion
