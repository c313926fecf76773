#include "lora/lora_result.h"

#include "model/loras.h"

namespace atelier {

Outputs lora_outputs(const diffusion::LoraResult& made, const std::optional<Digest>& base, Context& context) {
  for (const auto& note : made.notes) context.warn(note);
  auto lora = as_lora_set(made.lora);
  lora.base = base;
  if (made.relative_error) {
    lora.facts["relative_error"] = *made.relative_error;
    context.metric("relative_error", 0, *made.relative_error);
  }
  return {{"lora", lora.to_artifact()}};
}

}  // namespace atelier
