#include "model/loras.h"

#include <fmt/format.h>

#include "diffusion/lora_format.h"
#include "model/tensors.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

constexpr const char* kBaseModel = "base_model";
constexpr const char* kPrediction = "prediction_type";
constexpr const char* kVelocity = "v";
constexpr const char* kZeroTerminalSnr = "zero_terminal_snr";

}  // namespace

std::optional<diffusion::LoraBase> base_of_facts(const nlohmann::json& facts) {
  auto base = diffusion::base_of_version(facts.value(kBaseModel, ""));
  if (base && facts.value(kPrediction, "") == kVelocity) base->prediction = diffusion::PredictionType::v_prediction;
  if (base) base->zero_terminal_snr = facts.value(kZeroTerminalSnr, false);
  return base;
}

nlohmann::json facts_of(const diffusion::LoraBase& base) {
  nlohmann::json facts = {{kBaseModel, diffusion::kohya_version(base)}};
  const auto named = diffusion::base_of_version(facts.at(kBaseModel).get<std::string>());
  if (named && named->prediction != base.prediction) facts[kPrediction] = diffusion::modelspec_prediction(base);
  if (base.zero_terminal_snr) facts[kZeroTerminalSnr] = true;
  return facts;
}

Expected<LoraSet> lora_of(const Artifact& artifact) {
  if (artifact.files.empty()) return LoraSet::from(artifact);
  const auto lora = diffusion::read_lora(artifact.files.front().path);
  if (!lora) return passed_on(lora.error());
  return as_lora_set(*lora);
}

diffusion::Lora as_diffusion(const LoraSet& lora) {
  diffusion::Lora result;
  for (const auto& [layer, factors] : lora.layers)
    result.layers[layer] = {as_torch(factors.a), as_torch(factors.b), factors.alpha};
  result.base = base_of_facts(lora.facts);
  return result;
}

LoraSet as_lora_set(const diffusion::Lora& lora) {
  LoraSet result;
  for (const auto& [layer, factors] : lora.layers)
    result.layers[layer] = {as_tensor(factors.a), as_tensor(factors.b), factors.alpha};
  if (lora.base) result.facts = facts_of(*lora.base);
  return result;
}

Expected<diffusion::Lora> sum_of(std::span<const FusedLora> loras) {
  std::vector<diffusion::Lora> values;
  for (const auto& fused : loras) values.push_back(as_diffusion(fused.lora));
  std::vector<diffusion::WeightedLora> terms;
  for (std::size_t i = 0; i < values.size(); ++i) terms.push_back({&values[i], loras[i].weight});
  auto sum = diffusion::weighted_sum(terms);
  if (!sum) return passed_on(sum.error());
  return std::move(*sum);
}

std::string foreign_base_warning(const LoraSet& lora, const Digest& base, std::string_view which) {
  if (!lora.base || *lora.base == base) return {};
  return fmt::format("{} was trained on another base model ({}, not {})", which, lora.base->brief(), base.brief());
}

}  // namespace atelier
