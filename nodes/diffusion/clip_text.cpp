#include "diffusion/clip_text.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <limits>

#include "diffusion/layers.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

struct TextLayer {
  LayerNorm norm1;
  Linear q, k, v, out;
  LayerNorm norm2;
  Linear fc1, fc2;
};

TextLayer take_layer(WeightReader& weights, const std::string& name, const TextConfig& config) {
  const int64_t d = config.hidden_size, inner = config.intermediate_size;
  return {take_layer_norm(weights, name + ".layer_norm1", d, config.norm_eps),
          take_linear(weights, name + ".self_attn.q_proj", {d, d}),
          take_linear(weights, name + ".self_attn.k_proj", {d, d}),
          take_linear(weights, name + ".self_attn.v_proj", {d, d}),
          take_linear(weights, name + ".self_attn.out_proj", {d, d}),
          take_layer_norm(weights, name + ".layer_norm2", d, config.norm_eps),
          take_linear(weights, name + ".mlp.fc1", {d, inner}),
          take_linear(weights, name + ".mlp.fc2", {inner, d})};
}

/// OpenAI's CLIP was trained with x * sigmoid(1.702 x), an approximation of GELU; OpenCLIP with GELU itself.
at::Tensor activate(const at::Tensor& x, Activation activation) {
  return activation == Activation::gelu ? at::gelu(x) : x * at::sigmoid(x * 1.702);
}

/// [T, T]: no id sees those behind it.
at::Tensor causal_mask(int64_t length, const at::TensorOptions& options) {
  return at::full({length, length}, -std::numeric_limits<double>::infinity(), options).triu(1);
}

/// Index of the end token in each row, [N]. Published files say eos 2 and mean the largest id, as transformers has it.
at::Tensor end_positions(const at::Tensor& ids, int64_t eos_id) {
  constexpr int64_t kLegacyEos = 2;
  return eos_id == kLegacyEos ? ids.argmax(-1) : ids.eq(eos_id).to(at::kInt).argmax(-1);
}

}  // namespace

struct ClipTextModel::Impl {
  TextConfig config;
  ModelOptions options;
  at::Tensor tokens;     // [vocab, D]
  at::Tensor positions;  // [max_positions, D]
  std::vector<TextLayer> layers;
  LayerNorm final_norm;

  at::Tensor run_layer(const TextLayer& layer, const at::Tensor& x, const at::Tensor& mask) const {
    const at::Tensor h = layer.norm1(x);
    const at::Tensor y = x + layer.out(attention(layer.q(h), layer.k(h), layer.v(h), config.heads, mask));
    return y + layer.fc2(activate(layer.fc1(layer.norm2(y)), config.activation));
  }
};

ClipTextModel::ClipTextModel(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
ClipTextModel::~ClipTextModel() = default;

Result<std::shared_ptr<const ClipTextModel>> ClipTextModel::create(const TextConfig& config, WeightReader& weights) {
  const std::string root = weights.has("text_model.final_layer_norm.weight") ? "text_model." : "";
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  impl->options = weights.options();
  impl->tokens = weights.take(root + "embeddings.token_embedding.weight", {config.vocab_size, config.hidden_size});
  impl->positions =
      weights.take(root + "embeddings.position_embedding.weight", {config.max_positions, config.hidden_size});
  for (int64_t i = 0; i < config.layers; ++i) {
    impl->layers.push_back(take_layer(weights, fmt::format("{}encoder.layers.{}", root, i), config));
  }
  impl->final_norm = take_layer_norm(weights, root + "final_layer_norm", config.hidden_size, config.norm_eps);
  weights.ignore(root + "embeddings.position_ids");  // a buffer of older files
  weights.ignore("text_projection.weight");  // of CLIPTextModelWithProjection; SD 1.x and 2.x have no use for it
  if (auto ok = weights.check(); !ok) return tl::unexpected(ok.error());
  return std::shared_ptr<const ClipTextModel>(new ClipTextModel(std::move(impl)));
}

Result<TextStates> ClipTextModel::encode(const at::Tensor& ids) const {
  const TextConfig& config = impl_->config;
  if (ids.dim() != 2 || ids.scalar_type() != at::kLong || ids.size(1) < 1 || ids.size(1) > config.max_positions) {
    return fail(fmt::format("text ids are {} {}, expected [N, T] int64 with T from 1 to {}", shape_text(ids.sizes()),
                            toString(ids.scalar_type()), config.max_positions));
  }
  if (ids.numel() > 0 && (ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= config.vocab_size)) {
    return fail(fmt::format("text ids reach from {} to {}, expected 0 to {}", ids.min().item<int64_t>(),
                            ids.max().item<int64_t>(), config.vocab_size - 1));
  }
  const at::NoGradGuard no_grad;
  const at::Tensor places = ids.to(impl_->options.device);
  const int64_t length = ids.size(1);
  TextStates states;
  at::Tensor x = at::embedding(impl_->tokens, places) + impl_->positions.narrow(0, 0, length);  // [N, T, D]
  const at::Tensor mask = causal_mask(length, x.options());
  for (const TextLayer& layer : impl_->layers) {
    states.penultimate = x;
    x = impl_->run_layer(layer, x, mask);
  }
  states.last = impl_->final_norm(x);
  const at::Tensor rows = at::arange(ids.size(0), places.options());
  states.pooled = states.last.index({rows, end_positions(places, config.eos_id)});  // [N, D]
  return states;
}

at::Tensor ClipTextModel::final_norm(const at::Tensor& states) const {
  const at::NoGradGuard no_grad;
  return impl_->final_norm(states);
}

const TextConfig& ClipTextModel::config() const noexcept { return impl_->config; }

}  // namespace atelier::diffusion
