#include "sampling/lora_choice.h"

#include "model/loras.h"
#include "model/torch_call.h"

namespace atelier {

Expected<std::vector<LoraUse>> choose_loras(const LoraShelf& shelf, const diffusion::ParsedPrompt& prompt) {
  std::vector<LoraUse> uses;
  if (prompt.loras.empty()) {
    for (std::size_t i = 0; i < shelf.loras.size(); ++i) uses.push_back({i, shelf.loras[i].weight});
    return uses;
  }
  const auto weights = diffusion::chosen_weights(prompt.loras, shelf.names);
  if (!weights) return passed_on(weights.error());
  for (std::size_t i = 0; i < weights->size(); ++i)
    if ((*weights)[i]) uses.push_back({i, *(*weights)[i]});
  return uses;
}

Expected<diffusion::Lora> sum_of(const LoraShelf& shelf, const std::vector<LoraUse>& uses) {
  std::vector<FusedLora> terms;
  for (const auto& use : uses) terms.push_back({shelf.loras[use.place].lora, use.weight});
  return sum_of(terms);
}

}  // namespace atelier
