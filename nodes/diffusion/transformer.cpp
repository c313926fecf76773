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

Projection projection_of(const AdaptedLinear& layer, const Adapters& adapters) {
  Projection projection{.weight = layer.linear.weight, .bias = layer.linear.bias, .a = {}, .b = {}};
  const auto found = adapters.layers().find(layer.name);
  if (found == adapters.layers().end()) return projection;
  projection.a = found->second.a.flatten(2).squeeze(0);
  projection.b = found->second.b.squeeze(0);
  projection.scale = found->second.scale.item<double>();
  return projection;
}

bool is_frozen(std::initializer_list<const AdaptedLinear*> layers, const at::Tensor& x, const ProjectionInput& input) {
  std::vector<at::Tensor> weights{input.norm_weight, input.norm_bias};
  for (const AdaptedLinear* layer : layers) weights.insert(weights.end(), {layer->linear.weight, layer->linear.bias});
  return is_frozen_cpu(x, weights);
}

/// Layers that share an input: in one function where they do not learn and one tenant's updates are added.
std::vector<at::Tensor> apply(std::initializer_list<const AdaptedLinear*> layers, const at::Tensor& x,
                              const ProjectionInput& input, const Adapters& adapters) {
  std::vector<at::Tensor> outputs;
  if (is_frozen(layers, x, input) && adapters.tenants() == 1) {
    std::vector<Projection> projections;
    for (const AdaptedLinear* layer : layers) projections.push_back(projection_of(*layer, adapters));
    return project(x, input, projections);
  }
  at::Tensor z = x;  // [N, T, in]
  if (input.maps) z = x.flatten(2).transpose(1, 2);
  if (input.before == Before::layer_norm)
    z = LayerNorm{input.norm_weight, input.norm_bias, input.norm_eps}(z);
  else if (input.before == Before::geglu)
    z = geglu(z);
  for (const AdaptedLinear* layer : layers) {
    const at::Tensor y = (*layer)(z, adapters);
    outputs.push_back(input.out_maps.empty() ? y : y.transpose(1, 2).reshape(input.out_maps));
  }
  return outputs;
}

ProjectionInput normed(const LayerNorm& norm) {
  return {.before = Before::layer_norm, .norm_weight = norm.weight, .norm_bias = norm.bias, .norm_eps = norm.eps};
}

}  // namespace

at::Tensor AdaptedLinear::operator()(const at::Tensor& x, const Adapters& adapters) const {
  if (is_frozen_cpu(x, {linear.weight, linear.bias}) && adapters.tenants() == 1)
    return project(x, {}, {projection_of(*this, adapters)})[0];
  return adapters.add_linear(name, x, linear(x));
}

at::Tensor CrossAttention::operator()(const at::Tensor& x, const LayerNorm& norm, const at::Tensor& context,
                                      const Adapters& adapters) const {
  std::vector<at::Tensor> all;  // queries, keys, values
  if (context.defined()) {
    all = apply({&to_q}, x, normed(norm), adapters);
    for (at::Tensor& of_context : apply({&to_k, &to_v}, context, {}, adapters)) all.push_back(std::move(of_context));
  } else {
    all = apply({&to_q, &to_k, &to_v}, x, normed(norm), adapters);
  }
  return to_out(attention(all[0], all[1], all[2], heads, /*mask=*/{}, scores), adapters);
}

at::Tensor TransformerLayer::operator()(at::Tensor x, const Conditioning& with) const {
  x = x + self(x, norm1, /*context=*/{}, with.adapters);
  x = x + cross(x, norm2, with.context, with.adapters);
  const at::Tensor hidden = apply({&ff_in}, x, normed(norm3), with.adapters)[0];
  return x + apply({&ff_out}, hidden, {.before = Before::geglu}, with.adapters)[0];
}

at::Tensor SpatialTransformer::operator()(const at::Tensor& x, const Conditioning& with) const {
  return run_block(name, x, with, learning_weights(),
                   [this](const at::Tensor& input, const Conditioning& inside) { return forward(input, inside); });
}

std::vector<at::Tensor> SpatialTransformer::learning_weights() const {
  std::vector<at::Tensor> learning;
  const auto add = [&](const AdaptedLinear& layer) {
    add_learning({layer.linear.weight, layer.linear.bias}, learning);
  };
  add_learning({norm.weight, norm.bias}, learning);
  add(proj_in);
  for (const TransformerLayer& layer : layers) {
    for (const LayerNorm* each : {&layer.norm1, &layer.norm2, &layer.norm3})
      add_learning({each->weight, each->bias}, learning);
    for (const CrossAttention* each : {&layer.self, &layer.cross})
      for (const AdaptedLinear* projection : {&each->to_q, &each->to_k, &each->to_v, &each->to_out}) add(*projection);
    add(layer.ff_in);
    add(layer.ff_out);
  }
  add(proj_out);
  return learning;
}

at::Tensor SpatialTransformer::forward(const at::Tensor& x, const Conditioning& with) const {
  at::Tensor tokens = apply({&proj_in}, norm(x), {.maps = true}, with.adapters)[0];  // [N, h * w, C]
  for (const TransformerLayer& layer : layers) tokens = layer(tokens, with);
  return x + apply({&proj_out}, tokens, {.out_maps = x.sizes().vec()}, with.adapters)[0];
}

namespace {

class TransformerTaker {
 public:
  TransformerTaker(WeightReader& weights, const TransformerSpec& spec, std::vector<LoraTarget>& adaptable)
      : weights_(weights), spec_(spec), adaptable_(adaptable) {}

  SpatialTransformer transformer(const std::string& name) {
    SpatialTransformer block;
    block.name = name;
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
            .scores = spec_.upcast_attention ? ScorePrecision::float32 : ScorePrecision::inputs};
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
