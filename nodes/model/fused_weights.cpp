#include "model/fused_weights.h"

#include <algorithm>

#include "diffusion/lora_fuse.h"
#include "model/loras.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

using diffusion::LoraPart;
using diffusion::ModelPart;

constexpr const char* kOfBase = "base";

// A LoRA has no layers of the VAE.
std::optional<LoraPart> lora_part(ModelPart part) {
  switch (part) {
    case ModelPart::unet:
      return LoraPart::unet;
    case ModelPart::text_encoder:
      return LoraPart::text_encoder;
    case ModelPart::text_encoder_2:
      return LoraPart::text_encoder_2;
    case ModelPart::vae:
      break;
  }
  return std::nullopt;
}

bool any_changes(std::span<const diffusion::Lora> loras, LoraPart part) {
  return std::ranges::any_of(loras, [&](const auto& lora) { return diffusion::has_part(lora, part); });
}

}  // namespace

Expected<diffusion::PartWeights> fused_weights(const Model& model, const diffusion::BaseModel& base,
                                               const std::vector<ModelPart>& parts) {
  std::vector<diffusion::Lora> loras;
  for (const auto& fused : model.loras) loras.push_back(as_diffusion(fused.lora));
  std::vector<diffusion::WeightedLora> terms;
  for (std::size_t i = 0; i < loras.size(); ++i) terms.push_back({&loras[i], model.loras[i].weight});
  diffusion::PartWeights changed;
  for (const auto part : parts) {
    const auto layers = lora_part(part);
    if (!layers || !any_changes(loras, *layers)) continue;
    const auto weights = base.weights(part);
    if (!weights) return passed_on(weights.error());
    auto sum = diffusion::fuse(*weights, *layers, terms, dtype_named(model.dtype));
    if (!sum) return passed_on(sum.error());
    changed[part] = std::move(*sum);
  }
  return changed;
}

std::optional<at::ScalarType> dtype_named(const std::string& name) {
  if (name == "float16") return at::kHalf;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float32") return at::kFloat;
  return std::nullopt;
}

ParamSpec dtype_param() {
  return {.name = "dtype",
          .type = ValueType::text,
          .value = kOfBase,
          .summary = "What all weights are written in; base: each as in the base.",
          .choices = {kOfBase, "float16", "bfloat16", "float32"}};
}

void set_dtype(Model& model, const Params& params) {
  if (const auto name = params.text("dtype"); name != kOfBase) model.dtype = name;
}

}  // namespace atelier
