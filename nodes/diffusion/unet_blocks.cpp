#include "diffusion/unet_blocks.h"

#include <ATen/ATen.h>

namespace atelier::diffusion {

at::Tensor AdaptedConv::operator()(const at::Tensor& x, const Adapters& adapters) const {
  return adapters.add_conv2d(name, x, conv(x), conv.stride, conv.padding);
}

at::Tensor AdaptedResnet::operator()(const at::Tensor& x, const Conditioning& with) const {
  return run_block(name, x, with, learning_weights(),
                   [this](const at::Tensor& input, const Conditioning& inside) { return forward(input, inside); });
}

std::vector<at::Tensor> AdaptedResnet::learning_weights() const {
  std::vector<at::Tensor> learning;
  add_learning({block.norm1.weight, block.norm1.bias, block.conv1.weight, block.conv1.bias, block.time->weight,
                block.time->bias, block.norm2.weight, block.norm2.bias, block.conv2.weight, block.conv2.bias},
               learning);
  if (block.shortcut) add_learning({block.shortcut->weight, block.shortcut->bias}, learning);
  return learning;
}

at::Tensor AdaptedResnet::forward(const at::Tensor& x, const Conditioning& with) const {
  // The same as ResnetBlock's own forward, with the adapters of each layer added to it.
  const auto convolve = [&](const char* layer, const Conv2d& conv, const at::Tensor& input) {
    return with.adapters.add_conv2d(name + layer, input, conv(input), conv.stride, conv.padding);
  };
  at::Tensor h = convolve(".conv1", block.conv1, block.norm1(x, After::silu));
  const at::Tensor time = at::silu(with.time).unsqueeze(1);  // [N, 1, T]
  const at::Tensor shift = with.adapters.add_linear(name + ".time_emb_proj", time, (*block.time)(time));
  h = h + shift.transpose(1, 2).unsqueeze(-1);  // [N, out, 1, 1]
  h = convolve(".conv2", block.conv2, block.norm2(h, After::silu));
  return (block.shortcut ? convolve(".conv_shortcut", *block.shortcut, x) : x) + h;
}

at::Tensor UNetBlock::down(at::Tensor x, const Conditioning& with, std::vector<at::Tensor>& skips) const {
  for (size_t i = 0; i < resnets.size(); ++i) {
    x = resnets[i](x, with);
    if (!attentions.empty()) x = attentions[i](x, with);
    skips.push_back(x);
  }
  if (resample) {
    x = (*resample)(x, with.adapters);
    skips.push_back(x);
  }
  return x;
}

at::Tensor UNetBlock::up(at::Tensor x, const Conditioning& with, std::vector<at::Tensor>& skips) const {
  for (size_t i = 0; i < resnets.size(); ++i) {
    x = resnets[i](at::cat({x, skips.back()}, 1), with);
    skips.pop_back();
    if (!attentions.empty()) x = attentions[i](x, with);
  }
  if (resample) {
    // To the size of the next skip, which is not twice this one where a level below had an odd size.
    const at::Tensor& next = skips.back();
    x = (*resample)(at::upsample_nearest2d(x, {next.size(2), next.size(3)}), with.adapters);
  }
  return x;
}

at::Tensor UNetMiddle::operator()(at::Tensor x, const Conditioning& with) const {
  x = resnets[0](x, with);
  for (size_t i = 0; i < attentions.size(); ++i) x = resnets[i + 1](attentions[i](x, with), with);
  return x;
}

namespace {

AdaptedResnet take_adapted_resnet(WeightReader& weights, const std::string& name, Channels channels,
                                  const BlockSpec& spec, std::vector<LoraTarget>& adaptable) {
  adaptable.push_back({name + ".conv1", {channels.out, channels.in, 3, 3}});
  adaptable.push_back({name + ".time_emb_proj", {channels.out, spec.time_channels}});
  adaptable.push_back({name + ".conv2", {channels.out, channels.out, 3, 3}});
  if (channels.in != channels.out) adaptable.push_back({name + ".conv_shortcut", {channels.out, channels.in, 1, 1}});
  return {name, take_resnet(weights, name, channels, spec.norm, spec.time_channels)};
}

AdaptedConv take_resample(WeightReader& weights, const std::string& name, int64_t channels, int64_t stride,
                          std::vector<LoraTarget>& adaptable) {
  adaptable.push_back({name, {channels, channels, 3, 3}});
  return {name, take_conv(weights, name, {channels, channels}, 3, stride)};
}

UNetBlock take_level(WeightReader& weights, const BlockSpec& spec, std::vector<LoraTarget>& adaptable) {
  UNetBlock block;
  for (size_t i = 0; i < spec.resnets.size(); ++i) {
    const std::string index = std::to_string(i);
    block.resnets.push_back(
        take_adapted_resnet(weights, spec.name + ".resnets." + index, spec.resnets[i], spec, adaptable));
    if (spec.attention)
      block.attentions.push_back(
          take_transformer(weights, spec.name + ".attentions." + index, *spec.attention, adaptable));
  }
  return block;
}

}  // namespace

UNetBlock take_down_block(WeightReader& weights, const BlockSpec& spec, std::vector<LoraTarget>& adaptable) {
  UNetBlock block = take_level(weights, spec, adaptable);
  if (spec.resample)
    block.resample = take_resample(weights, spec.name + ".downsamplers.0.conv", spec.resnets.back().out, 2, adaptable);
  return block;
}

UNetBlock take_up_block(WeightReader& weights, const BlockSpec& spec, std::vector<LoraTarget>& adaptable) {
  UNetBlock block = take_level(weights, spec, adaptable);
  if (spec.resample)
    block.resample = take_resample(weights, spec.name + ".upsamplers.0.conv", spec.resnets.back().out, 1, adaptable);
  return block;
}

UNetMiddle take_middle(WeightReader& weights, const BlockSpec& spec, std::vector<LoraTarget>& adaptable) {
  UNetMiddle middle;
  for (size_t i = 0; i < spec.resnets.size(); ++i)
    middle.resnets.push_back(
        take_adapted_resnet(weights, spec.name + ".resnets." + std::to_string(i), spec.resnets[i], spec, adaptable));
  for (size_t i = 0; i + 1 < spec.resnets.size(); ++i)
    middle.attentions.push_back(
        take_transformer(weights, spec.name + ".attentions." + std::to_string(i), *spec.attention, adaptable));
  return middle;
}

}  // namespace atelier::diffusion
