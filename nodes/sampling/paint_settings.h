// sampling: how pictures are painted, all but the words and the seed.
#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/sampler.h"
#include "sampling/lora_choice.h"

namespace atelier {

// The picture enlarged and painted over, by image-to-image. 0.38 is what painting at twice the size keeps its faces at.
struct SecondPass {
  double scale = 1;        // 1: there is none
  double strength = 0.38;  // the part of its steps that is done
  std::int64_t steps = 0;  // 0: as many as of the first

  bool wanted() const { return scale > 1; }
};

struct PaintSettings {
  std::optional<std::string> negative{};  // none: zeros in SDXL unless its folder forbids it, else the empty text
  diffusion::SamplerKind sampler = diffusion::SamplerKind::ddim;
  std::optional<diffusion::TimestepSpacing> spacing{};  // none: the base's own, or the sampler's
  std::int64_t steps = 30;
  double guidance = 7.5;
  double guidance_rescale = 0;
  std::int64_t clip_skip = 1;
  std::int64_t width_px = 0, height_px = 0;  // 0: the size the base was trained at
  SecondPass second_pass{};
  std::optional<std::int64_t> vae_tile_px{};  // none: the VAE takes pictures whole
  at::ScalarType dtype = at::kFloat;          // that the UNet computes in; text encoders and VAE are float32
  std::int64_t batch_size = 1;
  bool low_memory = false;  // the UNet sees the prompt and the negative one apart
};

// What a picture's metadata says of how it was made; settings that change nothing are left out.
nlohmann::json facts_of(const PaintSettings& settings, const std::string& prompt, std::uint64_t seed,
                        const LoraShelf& shelf, std::span<const LoraUse> uses);

}  // namespace atelier
