// Taking a space away from a LoRA: what a LoRA of the background writes, and what it reads, is removed from another.
#pragma once

#include "diffusion/lora_algebra.h"

namespace atelier::diffusion {

/// With dW2 = U2 S2 V2^T of numerical rank: left is dW1 - U2 U2^T dW1, nothing that is left writes where dW2 writes;
/// both is (I - U2 U2^T) dW1 (I - V2 V2^T), nothing that is left reads what dW2 reads either.
enum class RemovedSides { left, both };

/// `lora` without the spaces of `background`, layer by layer. Exact on the factors: B1 - U2 (U2^T B1), and for both
/// A1 - (A1 V2) V2^T; ranks and alphas stay. Layers that the background does not have, or has as zero, stay as they
/// are; dropped are those of which nothing but rounding is left. Errors: a layer whose shapes differ; factors that hold
/// NaN or infinite numbers.
Result<LoraDifference> remove_subspace(const Lora& lora, const Lora& background, RemovedSides sides);

}  // namespace atelier::diffusion
