#include "diffusion/transformer.h"

#include <ATen/ATen.h>

namespace atelier::diffusion {
namespace {

constexpr double kTransformerNormEps = 1e-6;  // of the GroupNorm before the projection, fixed in diffusers
constexpr double kLayerNormEps = 1e-5;
constexpr int64_t kFeedForwardFactor = 4;

/// GEGLU (Shazeer 2020): the second half gates the first.
at::Tensor geglu(const at::Tensor& x) {
  const std::vector<at::Tensor> halves = x.chunk(2, -1);
  return halves[0] * at::gelu(halves[1]);
}

}  // namespace

at::Tensor AdaptedLinear::operator()(const at::Tensor& x, const Adapters& adapters) const {
  return adapters.add_linear(name, x, linear(x));
}

at::Tensor CrossAttention::operator()(const at::Tensor& x, const at::Tensor& source, const Adapters& adapters) const {
  const at::Tensor q = to_q(x, adapters), k = to_k(source, adapters), v = to_v(source, adapters);
  if (!upcast) return to_out(attention(q, k, v, heads), adapters);
  const at::Tensor exact = attention(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), heads);
  return to_out(exact.to(q.scalar_type()), adapters);
}

at::Tensor TransformerLayer::operator()(at::Tensor x, const Conditioning& with) const {
  at::Tensor normed = norm1(x);
  x = x + self(normed, normed, with.adapters);
  x = x + cross(norm2(x), with.context, with.adapters);
  return x + ff_out(geglu(ff_in(norm3(x), with.adapters)), with.adapters);
}

at::Tensor SpatialTransformer::operator()(const at::Tensor& x, const Conditioning& with) const {
  const int64_t rows = x.size(0), channels = x.size(1);
  at::Tensor tokens = norm(x).permute({0, 2, 3, 1}).reshape({rows, -1, channels});  // [N, h * w, C]
  tokens = proj_in(tokens, with.adapters);
  for (const TransformerLayer& layer : layers) tokens = layer(tokens, with);
  tokens = proj_out(tokens, with.adapters);
  return x + tokens.view({rows, x.size(2), x.size(3), channels}).permute({0, 3, 1, 2});
}

namespace {

class TransformerTaker {
 public:
  TransformerTaker(WeightReader& weights, const TransformerSpec& spec, std::vector<LoraTarget>& adaptable)
      : weights_(weights), spec_(spec), adaptable_(adaptable) {}

  SpatialTransformer transformer(const std::string& name) {
    SpatialTransformer block;
    block.norm = take_group_norm(weights_, name + ".norm", spec_.channels, {spec_.norm_groups, kTransformerNormEps});
    block.proj_in = projection(name + ".proj_in");
    for (int64_t i = 0; i < spec_.layers; ++i)
      block.layers.push_back(layer(name + ".transformer_blocks." + std::to_string(i)));
    block.proj_out = projection(name + ".proj_out");
    return block;
  }

 private:
  AdaptedLinear linear(const std::string& name, Channels channels, Bias bias) {
    adaptable_.push_back({name, {channels.out, channels.in}});
    return {name, take_linear(weights_, name, channels, bias)};
  }

  AdaptedLinear projection(const std::string& name) {
    const int64_t width = spec_.channels;
    if (spec_.linear_projection) return linear(name, {width, width}, Bias::yes);
    adaptable_.push_back({name, {width, width, 1, 1}});
    const Conv2d conv = take_conv(weights_, name, {width, width}, 1);
    return {name, {conv.weight.flatten(1), conv.bias}};
  }

  CrossAttention attention_of(const std::string& name, int64_t source_channels) {
    const int64_t width = spec_.channels;
    return {.to_q = linear(name + ".to_q", {width, width}, Bias::no),
            .to_k = linear(name + ".to_k", {source_channels, width}, Bias::no),
            .to_v = linear(name + ".to_v", {source_channels, width}, Bias::no),
            .to_out = linear(name + ".to_out.0", {width, width}, Bias::yes),
            .heads = spec_.heads,
            .upcast = spec_.upcast_attention};
  }

  LayerNorm norm(const std::string& name) { return take_layer_norm(weights_, name, spec_.channels, kLayerNormEps); }

  TransformerLayer layer(const std::string& name) {
    const int64_t width = spec_.channels, inner = kFeedForwardFactor * width;
    return {.norm1 = norm(name + ".norm1"),
            .norm2 = norm(name + ".norm2"),
            .norm3 = norm(name + ".norm3"),
            .self = attention_of(name + ".attn1", width),
            .cross = attention_of(name + ".attn2", spec_.context_channels),
            .ff_in = linear(name + ".ff.net.0.proj", {width, 2 * inner}, Bias::yes),
            .ff_out = linear(name + ".ff.net.2", {inner, width}, Bias::yes)};
  }

  WeightReader& weights_;
  const TransformerSpec& spec_;
  std::vector<LoraTarget>& adaptable_;
};

}  // namespace

SpatialTransformer take_transformer(WeightReader& weights, const std::string& name, const TransformerSpec& spec,
                                    std::vector<LoraTarget>& adaptable) {
  return TransformerTaker(weights, spec, adaptable).transformer(name);
}

}  // namespace atelier::diffusion
