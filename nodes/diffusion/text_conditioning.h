// What the UNet is told by words: the hidden states it attends to, and in SDXL one vector for the whole text.
#pragma once

#include <ATen/core/Tensor.h>

namespace atelier::diffusion {

/// N texts. SD 1.x and 2.x: the states of one encoder. SDXL: both encoders' penultimate states side by side, and the
/// second one's projected vector.
struct TextConditioning {
  at::Tensor context;   ///< [N, T, cross_attention_dim]; T is 77, or more for longer texts
  at::Tensor pooled{};  ///< [N, P] in SDXL, else undefined
};

}  // namespace atelier::diffusion
