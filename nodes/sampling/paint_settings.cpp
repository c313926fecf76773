#include "sampling/paint_settings.h"

namespace atelier {
namespace {

nlohmann::json lora_facts(const LoraShelf& shelf, std::span<const LoraUse> uses) {
  auto facts = nlohmann::json::array();
  for (const auto& use : uses) {
    nlohmann::json fact{{"weight", use.weight}};
    if (!shelf.names.empty()) fact["name"] = shelf.names[use.place];
    facts.push_back(fact);
  }
  return facts;
}

}  // namespace

nlohmann::json facts_of(const PaintSettings& settings, const std::string& prompt, std::uint64_t seed,
                        const LoraShelf& shelf, std::span<const LoraUse> uses) {
  nlohmann::json facts{{"prompt", prompt},
                       {"seed", seed},
                       {"steps", settings.steps},
                       {"sampler", diffusion::name_of(settings.sampler).title},
                       {"guidance", settings.guidance},
                       {"width", settings.width_px},
                       {"height", settings.height_px}};
  if (settings.negative) facts["negative_prompt"] = *settings.negative;
  if (settings.spacing) facts["timestep_spacing"] = diffusion::name_of(*settings.spacing);
  if (settings.guidance_rescale != 0) facts["guidance_rescale"] = settings.guidance_rescale;
  if (settings.clip_skip != 1) facts["clip_skip"] = settings.clip_skip;
  if (settings.vae_tile_px) facts["vae_tile"] = *settings.vae_tile_px;
  if (settings.dtype != at::kFloat) facts["precision"] = settings.dtype == at::kHalf ? "float16" : "bfloat16";
  if (!uses.empty()) facts["loras"] = lora_facts(shelf, uses);
  if (settings.second_pass.wanted()) {
    facts["second_pass_scale"] = settings.second_pass.scale;
    facts["second_pass_strength"] = settings.second_pass.strength;
    facts["second_pass_steps"] = settings.second_pass.steps > 0 ? settings.second_pass.steps : settings.steps;
  }
  return facts;
}

}  // namespace atelier
