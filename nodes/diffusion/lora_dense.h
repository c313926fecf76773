// The update of an adapter layer that is no product of two thin matrices: LyCORIS' LoHa and LoKr
// (https://arxiv.org/abs/2309.14859, and the code of lycoris-lora 4.1.3).
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "diffusion/error.h"
#include "diffusion/lora_names.h"

namespace atelier::diffusion {

/// The tensors of one layer by what they are.
using LoraFactors = std::map<LoraFactor, at::Tensor>;

/// dW in float32: [out, in], or [out, in, kh, kw] of Tucker's form, or, of a convolution in any other form, [out, in *
/// kh * kw], since the file does not say the kernel. (w1_a w1_b) * (w2_a w2_b) element by element, times alpha / rank;
/// no alpha or one of 0 means the rank. Errors: a factor that is missing, shapes that do not fit together.
Result<at::Tensor> loha_delta(const LoraFactors& factors, double alpha);

/// dW as above: the Kronecker product of w1 and w2, of which each is whole or a product of its own, times alpha / rank;
/// where both are whole there is no rank, and alpha counts nothing.
Result<at::Tensor> lokr_delta(const LoraFactors& factors, double alpha);

/// Whether a layer with these tensors is one.
bool is_loha(const LoraFactors& factors);
bool is_lokr(const LoraFactors& factors);

}  // namespace atelier::diffusion
