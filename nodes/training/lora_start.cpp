#include "training/lora_start.h"

#include <utility>

#include "base/random.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

bool is_trained(std::string_view name, const LoraPlan& plan) {
  return name.starts_with("text_encoder") ? plan.text_encoders : plan.unet;
}

std::int64_t rank_of(const diffusion::LoraTarget& layer, const diffusion::LoraShape& shape) {
  const bool wide = layer.weight_shape.size() == 4 && layer.weight_shape[2] * layer.weight_shape[3] > 1;
  return wide && shape.conv_rank > 0 ? shape.conv_rank : shape.rank;
}

}  // namespace

Expected<std::vector<diffusion::LoraTarget>> chosen_layers(const diffusion::UNet& unet,
                                                           const diffusion::TextEncoders* text, const LoraPlan& plan) {
  std::vector<diffusion::LoraTarget> all;
  if (plan.unet) all = unet.adaptable_layers();
  if (plan.text_encoders && text)
    for (auto& layer : text->adaptable_layers()) all.push_back(std::move(layer));
  auto chosen = diffusion::select_lora_targets(all, plan.shape, plan.patterns);
  if (!chosen) return passed_on(chosen.error());
  if (chosen->empty()) return failure("there is no layer to train");
  return std::move(*chosen);
}

diffusion::Lora starting_lora(std::span<const diffusion::LoraTarget> targets, const diffusion::LoraShape& shape,
                              std::int64_t seed, const Digest& base) {
  std::map<std::string, std::int64_t, std::less<>> ranks;
  for (const auto& target : targets) ranks[target.name] = rank_of(target, shape);
  return diffusion::initial_lora(targets, shape, [&](std::string_view layer, std::span<float> values) {
    const auto subject = Encoder().digest(base).text(layer).integer(ranks.find(layer)->second).finish();
    RandomStream(seed, "initial LoRA", subject).fill_uniform(values, 0, 1);
  });
}

ContinuedLora continued(diffusion::Lora start, const diffusion::Lora& known, const LoraPlan& plan) {
  ContinuedLora result{std::move(start)};
  for (const auto& [name, factors] : known.layers) {
    if (is_trained(name, plan))
      result.lora.layers[name] = factors;
    else
      ++result.left_out;
  }
  return result;
}

}  // namespace atelier
