// The attention part of the UNet's blocks: diffusers' Transformer2DModel, with adapters on every projection.
#pragma once

#include <string>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/layers.h"
#include "diffusion/projections.h"
#include "diffusion/recompute.h"

namespace atelier::diffusion {

/// A linear layer that a LoRA can adapt, with the name adapters know it by.
struct AdaptedLinear {
  std::string name;
  Linear linear;
  at::Tensor operator()(const at::Tensor& x, const Adapters& adapters) const;  // [N, T, in] -> [N, T, out]
};

struct CrossAttention {
  AdaptedLinear to_q, to_k, to_v, to_out;
  int64_t heads;
  ScorePrecision scores = ScorePrecision::inputs;
  /// x, normalised by `norm`, attends to the context, or to itself where that is undefined.
  at::Tensor operator()(const at::Tensor& x, const LayerNorm& norm, const at::Tensor& context,
                        const Adapters& adapters) const;
};

/// LayerNorm, self-attention, LayerNorm, cross-attention, LayerNorm, GEGLU feed-forward, each added to its input.
struct TransformerLayer {
  LayerNorm norm1, norm2, norm3;
  CrossAttention self, cross;
  AdaptedLinear ff_in, ff_out;
  at::Tensor operator()(at::Tensor x, const Conditioning& with) const;
};

struct SpatialTransformer {
  GroupNorm norm;
  AdaptedLinear proj_in, proj_out;  ///< 1x1 convolutions are linear layers on the pixels
  std::vector<TransformerLayer> layers;
  std::string name;
  at::Tensor operator()(const at::Tensor& x, const Conditioning& with) const;  // [N, C, h, w], the same

 private:
  at::Tensor forward(const at::Tensor& x, const Conditioning& with) const;
  std::vector<at::Tensor> learning_weights() const;
};

struct TransformerSpec {
  int64_t channels;
  int64_t heads;
  int64_t layers;
  int64_t context_channels;
  int64_t norm_groups;
  bool linear_projection;
  bool upcast_attention = false;
};

/// Takes the weights under `name` (`down_blocks.0.attentions.0`) and adds what a LoRA can adapt to `adaptable`.
SpatialTransformer take_transformer(WeightReader& weights, const std::string& name, const TransformerSpec& spec,
                                    std::vector<LoraTarget>& adaptable);

}  // namespace atelier::diffusion
