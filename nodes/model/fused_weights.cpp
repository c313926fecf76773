#include "model/fused_weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "diffusion/lora_fuse.h"
#include "model/loras.h"
#include "model/tensors.h"
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

bool is_changed(const Model& model, ModelPart part) {
  return model.changed && model.changed->parts.contains(diffusion::folder_name(part));
}

// To the model's dtype, or where it has none each weight to the base's.
Expected<void> cast_as_stored(diffusion::WeightMap& weights, const Model& model, const diffusion::BaseModel& base,
                              ModelPart part) {
  const auto dtype = dtype_named(model.dtype);
  const auto stored = base.weights(part);
  if (!stored) return passed_on(stored.error());
  for (auto& [name, weight] : weights)
    if (weight.is_floating_point()) weight = weight.to(dtype.value_or(stored->at(name).scalar_type()));
  return {};
}

}  // namespace

Expected<diffusion::WeightMap> weights_of(const Model& model, const diffusion::BaseModel& base, ModelPart part) {
  auto weights = base.weights(part);
  if (!weights) return passed_on(weights.error());
  if (!is_changed(model, part)) return std::move(*weights);
  for (const auto& [name, value] : model.changed->parts.at(diffusion::folder_name(part))) {
    const auto found = weights->find(name);
    if (found == weights->end() || found->second.sizes() != as_torch(value).sizes())
      return failure(fmt::format("the weight '{}' was trained for another base: this one has no such weight", name));
    found->second = as_torch(value);
  }
  return std::move(*weights);
}

Expected<diffusion::PartWeights> changed_parts(const Model& model, const diffusion::BaseModel& base,
                                               const std::vector<ModelPart>& parts) {
  diffusion::PartWeights changed;
  for (const auto part : parts) {
    if (!is_changed(model, part)) continue;
    auto weights = weights_of(model, base, part);
    if (!weights) return tl::unexpected(weights.error());
    changed[part] = std::move(*weights);
  }
  return changed;
}

Expected<diffusion::PartWeights> fused_weights(const Model& model, const diffusion::BaseModel& base,
                                               const std::vector<ModelPart>& parts) {
  std::vector<diffusion::Lora> loras;
  for (const auto& fused : model.loras) loras.push_back(as_diffusion(fused.lora));
  std::vector<diffusion::WeightedLora> terms;
  for (std::size_t i = 0; i < loras.size(); ++i) terms.push_back({&loras[i], model.loras[i].weight});
  diffusion::PartWeights changed;
  for (const auto part : parts) {
    const auto layers = lora_part(part);
    const bool adds = layers && any_changes(loras, *layers);
    if (!adds && !is_changed(model, part)) continue;
    auto weights = weights_of(model, base, part);
    if (!weights) return tl::unexpected(weights.error());
    if (adds) {
      auto sum = diffusion::fuse(*weights, *layers, terms, dtype_named(model.dtype));
      if (!sum) return passed_on(sum.error());
      weights = std::move(*sum);
    }
    if (is_changed(model, part))
      if (auto cast = cast_as_stored(*weights, model, base, part); !cast) return tl::unexpected(cast.error());
    changed[part] = std::move(*weights);
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
