// lora: what an operation of the diffusion library made, as a node's output.
#pragma once
#include <optional>

#include "artifact/store.h"
#include "diffusion/lora_operations.h"
#include "graph/context.h"
#include "types/lora.h"

namespace atelier {

// The output `lora` of a LoRA for `base`. Its notes become warnings, its relative error a metric and a fact.
Outputs lora_outputs(const diffusion::LoraResult& made, const std::optional<Digest>& base, Context& context);

}  // namespace atelier
