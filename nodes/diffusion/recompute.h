// Gradient checkpointing (Chen et al. 2016): a block keeps its inputs only and runs again in the backward pass.
#pragma once

#include <functional>
#include <string>

#include "diffusion/adapters.h"
#include "diffusion/attention.h"

namespace atelier::diffusion {

/// What the layers of one forward pass share.
struct Conditioning {
  const Adapters& adapters;
  at::Tensor time;         ///< [N, 4 * width] embedding of the timesteps
  at::Tensor context;      ///< [N, tokens, cross_attention_dim]
  bool recompute = false;  ///< blocks keep only their inputs for the backward pass: less memory, a third more time
};

using Block = std::function<at::Tensor(const at::Tensor& x, const Conditioning& with)>;

/// block(x, with), recomputed in the backward pass where `with` asks for it. Gradients flow to x, the time embedding,
/// the context, the adapters of layers whose names begin with `name` and a dot, and `learning`, the block's own weights
/// that learn. Equal to the bit to the plain pass on the CPU at one count of threads. What `block` refers to must live
/// until the backward pass is over.
at::Tensor run_block(const std::string& name, const at::Tensor& x, const Conditioning& with,
                     const std::vector<at::Tensor>& learning, const Block& block);

}  // namespace atelier::diffusion
