#include "diffusion/layers.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

namespace atelier::diffusion {
namespace {

constexpr int64_t kMaxScores = int64_t{64} << 20;  // elements; 256 MB in float32

/// q [B*h, n, d], k and v [B*h, M, d]. bmm, not baddbmm: torch 1.13's baddbmm may read uninitialised memory at beta 0.
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& mask) {
  at::Tensor scores = at::bmm(q, k.transpose(1, 2));  // [B*h, n, M]
  if (mask.defined()) scores = scores + mask;
  return at::bmm(at::softmax(scores, -1), v);
}

at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  const int64_t batch = x.size(0), length = x.size(1), width = x.size(2) / heads;
  return x.view({batch, length, heads, width}).transpose(1, 2).reshape({batch * heads, length, width});
}

}  // namespace

at::Tensor Linear::operator()(const at::Tensor& x) const { return at::linear(x, weight, bias); }

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding});
}

at::Tensor GroupNorm::operator()(const at::Tensor& x) const { return at::group_norm(x, groups, weight, bias, eps); }

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

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads,
                     const at::Tensor& mask) {
  const int64_t batch = q.size(0), length = q.size(1), width = q.size(2) / heads;
  const at::Tensor queries = split_heads(q * (1.0 / std::sqrt(static_cast<double>(width))), heads);
  const at::Tensor keys = split_heads(k, heads), values = split_heads(v, heads);
  at::Tensor out;  // [B*h, N, d]
  const int64_t row = batch * heads * keys.size(1);
  const int64_t slice = std::max<int64_t>(1, kMaxScores / std::max<int64_t>(1, row));
  if (slice >= length || at::GradMode::is_enabled() || mask.defined()) {
    out = attend(queries, keys, values, mask);
  } else {
    out = at::empty_like(queries);
    for (int64_t at = 0; at < length; at += slice) {
      const int64_t n = std::min(slice, length - at);
      out.narrow(1, at, n).copy_(attend(queries.narrow(1, at, n), keys, values, mask));
    }
  }
  return out.view({batch, heads, length, width}).transpose(1, 2).reshape({batch, length, heads * width});
}

at::Tensor ResnetBlock::operator()(const at::Tensor& x, const at::Tensor& time_embedding) const {
  at::Tensor h = conv1(at::silu(norm1(x)));
  if (time) h = h + (*time)(at::silu(time_embedding)).unsqueeze(-1).unsqueeze(-1);
  h = conv2(at::silu(norm2(h)));
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

at::Tensor upsample_nearest_2x(const at::Tensor& x) {
  return at::upsample_nearest2d(x, {x.size(2) * 2, x.size(3) * 2});
}

}  // namespace atelier::diffusion
