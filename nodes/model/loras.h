// model: LoRAs between artifacts and the diffusion library.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "diffusion/adapters.h"
#include "diffusion/lora_algebra.h"
#include "types/lora.h"
#include "types/model.h"

namespace atelier {

// The LoRA of an artifact: from its tensors, or read from its file where it is a pipeline's input. Errors: those of
// LoraSet::from() and diffusion::read_lora().
Expected<LoraSet> lora_of(const Artifact& artifact);

// The same factors as libtorch sees them; bytes are shared. The kind of base is told by the facts.
diffusion::Lora as_diffusion(const LoraSet& lora);
LoraSet as_lora_set(const diffusion::Lora& lora);

// The kind of base a LoRA is for, as facts of a LoraSet: `base_model`, and what that name leaves open:
// `prediction_type`, `zero_terminal_snr`.
nlohmann::json facts_of(const diffusion::LoraBase& base);
// Nothing where the facts do not tell.
std::optional<diffusion::LoraBase> base_of_facts(const nlohmann::json& facts);

// sum_i weight_i * lora_i, by stacking ranks. Errors name the layer whose shapes differ.
Expected<diffusion::Lora> sum_of(std::span<const FusedLora> loras);

// Empty where `lora` was trained on that base or its base is not known; otherwise a sentence for a warning. `which`
// says which LoRA it is, as in "LoRA 2".
std::string foreign_base_warning(const LoraSet& lora, const Digest& base, std::string_view which);

}  // namespace atelier
