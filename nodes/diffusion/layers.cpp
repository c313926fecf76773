#include "diffusion/layers.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "diffusion/frozen_conv.h"
#include "diffusion/projections.h"

namespace atelier::diffusion {
bool is_frozen_cpu(const at::Tensor& x, at::TensorList weights) {
  const auto plain = [](const at::Tensor& tensor) { return tensor.is_cpu() && tensor.scalar_type() == at::kFloat; };
  return plain(x) && std::ranges::all_of(weights, [&](const at::Tensor& weight) {
           return !weight.defined() || (plain(weight) && !weight.requires_grad() && weight.is_contiguous());
         });
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  if (!is_frozen_cpu(x, {weight, bias})) return at::linear(x, weight, bias);
  const at::Tensor tokens = x.dim() == 3 ? x : x.reshape({1, -1, x.size(-1)});
  const at::Tensor y = project(tokens, {}, {{.weight = weight, .bias = bias, .a = {}, .b = {}}})[0];
  if (x.dim() == 3) return y;
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return y.view(shape);
}

namespace {

/// Whether libtorch adds up a convolution in bfloat16, number by number, which leaves a quarter of the result wrong: on
/// processors whose vectors oneDNN does not use for it.
bool adds_up_in_bfloat16(const at::Tensor& x) {
#if defined(__x86_64__)
  static const bool vectors =
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return x.is_cpu() && x.scalar_type() == at::kBFloat16 && !vectors;
#else
  return x.is_cpu() && x.scalar_type() == at::kBFloat16;
#endif
}

}  // namespace

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  if (is_frozen_cpu(x, {weight, bias})) return frozen_conv2d(x, weight, bias, stride, padding);
  const bool learns = at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad());
  if (adds_up_in_bfloat16(x) && !learns) {  // a graph would keep the wide copies
    const at::Tensor wide_bias = bias.defined() ? bias.to(at::kFloat) : bias;
    return at::conv2d(x.to(at::kFloat), weight.to(at::kFloat), wide_bias, {stride, stride}, {padding, padding})
        .to(at::kBFloat16);
  }
  return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding});
}

at::Tensor GroupNorm::operator()(const at::Tensor& x, After after) const {
  if (is_frozen_cpu(x, {weight, bias})) return frozen_group_norm(x, groups, weight, bias, eps, after);
  const at::Tensor normed = at::group_norm(x, groups, weight, bias, eps);
  return after == After::silu ? at::silu(normed) : normed;
}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {weight.size(0)}, weight, bias, eps);
}

Linear take_linear(WeightReader& weights, const std::string& name, Channels channels, Bias bias) {
  Linear layer;
  layer.weight = weights.take(name + ".weight", {channels.out, channels.in});
  if (bias == Bias::yes) layer.bias = weights.take(name + ".bias", {channels.out});
  return layer;
}

Conv2d take_conv(WeightReader& weights, const std::string& name, Channels channels, int64_t kernel, int64_t stride,
                 std::optional<int64_t> padding) {
  return {weights.take(name + ".weight", {channels.out, channels.in, kernel, kernel}),
          weights.take(name + ".bias", {channels.out}), stride, padding.value_or(kernel / 2)};
}

GroupNorm take_group_norm(WeightReader& weights, const std::string& name, int64_t channels, NormSpec spec) {
  return {weights.take(name + ".weight", {channels}), weights.take(name + ".bias", {channels}), spec.groups, spec.eps};
}

LayerNorm take_layer_norm(WeightReader& weights, const std::string& name, int64_t channels, double eps) {
  return {weights.take(name + ".weight", {channels}), weights.take(name + ".bias", {channels}), eps};
}

at::Tensor ResnetBlock::operator()(const at::Tensor& x, const at::Tensor& time_embedding) const {
  at::Tensor h = conv1(norm1(x, After::silu));
  if (time) h = h + (*time)(at::silu(time_embedding)).unsqueeze(-1).unsqueeze(-1);
  h = conv2(norm2(h, After::silu));
  return (shortcut ? (*shortcut)(x) : x) + h;
}

ResnetBlock take_resnet(WeightReader& weights, const std::string& name, Channels channels, NormSpec norm,
                        int64_t time_channels) {
  ResnetBlock block{take_group_norm(weights, name + ".norm1", channels.in, norm),
                    take_conv(weights, name + ".conv1", channels, 3),
                    std::nullopt,
                    take_group_norm(weights, name + ".norm2", channels.out, norm),
                    take_conv(weights, name + ".conv2", {channels.out, channels.out}, 3),
                    std::nullopt};
  if (time_channels > 0) block.time = take_linear(weights, name + ".time_emb_proj", {time_channels, channels.out});
  if (channels.in != channels.out) block.shortcut = take_conv(weights, name + ".conv_shortcut", channels, 1);
  return block;
}

void add_learning(std::initializer_list<at::Tensor> weights, std::vector<at::Tensor>& learning) {
  for (const at::Tensor& weight : weights)
    if (weight.defined() && weight.requires_grad()) learning.push_back(weight);
}

at::Tensor upsample_nearest_2x(const at::Tensor& x) {
  return at::upsample_nearest2d(x, {x.size(2) * 2, x.size(3) * 2});
}

}  // namespace atelier::diffusion
