// The blocks a UNet is stacked from: diffusers' (CrossAttn)DownBlock2D, UNetMidBlock2DCrossAttn, (CrossAttn)UpBlock2D.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diffusion/layers.h"
#include "diffusion/transformer.h"

namespace atelier::diffusion {

/// A residual block whose convolutions and time projection a LoRA can adapt.
struct AdaptedResnet {
  std::string name;
  ResnetBlock block;
  at::Tensor operator()(const at::Tensor& x, const Conditioning& with) const;  // [N, in, h, w] -> [N, out, h, w]

 private:
  at::Tensor forward(const at::Tensor& x, const Conditioning& with) const;
  std::vector<at::Tensor> learning_weights() const;
};

/// A convolution that a LoRA can adapt.
struct AdaptedConv {
  std::string name;
  Conv2d conv;
  at::Tensor operator()(const at::Tensor& x, const Adapters& adapters) const;
};

/// One level of the way down, or of the way up: residual blocks, each followed by a transformer where there is one.
struct UNetBlock {
  std::vector<AdaptedResnet> resnets;
  std::vector<SpatialTransformer> attentions;  ///< empty, or one for each residual block
  std::optional<AdaptedConv> resample;         ///< halves, or doubles, height and width

  /// Down: gives the smaller map, and adds every map on the way to `skips`.
  at::Tensor down(at::Tensor x, const Conditioning& with, std::vector<at::Tensor>& skips) const;
  /// Up: takes its maps from the end of `skips`.
  at::Tensor up(at::Tensor x, const Conditioning& with, std::vector<at::Tensor>& skips) const;
};

struct UNetMiddle {
  std::vector<AdaptedResnet> resnets;
  std::vector<SpatialTransformer> attentions;  ///< one fewer than resnets, between them
  at::Tensor operator()(at::Tensor x, const Conditioning& with) const;
};

/// What a block is made from.
struct BlockSpec {
  std::string name;                          ///< `down_blocks.0`, `mid_block`
  std::vector<Channels> resnets;             ///< channels of each residual block
  std::optional<TransformerSpec> attention;  ///< none: no transformers
  NormSpec norm;
  int64_t time_channels;
  bool resample;
};

/// Each takes its weights and adds what a LoRA can adapt to `adaptable`.
UNetBlock take_down_block(WeightReader& weights, const BlockSpec& spec, std::vector<LoraTarget>& adaptable);
UNetBlock take_up_block(WeightReader& weights, const BlockSpec& spec, std::vector<LoraTarget>& adaptable);
UNetMiddle take_middle(WeightReader& weights, const BlockSpec& spec, std::vector<LoraTarget>& adaptable);

}  // namespace atelier::diffusion
