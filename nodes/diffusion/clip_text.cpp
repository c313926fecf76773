#include "diffusion/clip_text.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "diffusion/layers.h"
#include "diffusion/precision.h"
#include "diffusion/safetensors.h"
#include "diffusion/transformer.h"

namespace atelier::diffusion {
namespace {

struct TextLayer {
  LayerNorm norm1;
  AdaptedLinear q, k, v, out;
  LayerNorm norm2;
  AdaptedLinear fc1, fc2;
};

/// Takes the layers from under `root` ("text_model." or nothing) and names them as adapters do.
class LayerTaker {
 public:
  LayerTaker(WeightReader& weights, const TextConfig& config, std::string root, std::string layer_prefix)
      : weights_(weights), config_(config), root_(std::move(root)), prefix_(std::move(layer_prefix)) {}

  TextLayer take(int64_t index) {
    const int64_t d = config_.hidden_size, inner = config_.intermediate_size;
    const std::string name = fmt::format("encoder.layers.{}", index);
    return {norm(name + ".layer_norm1"),
            linear(name + ".self_attn.q_proj", {d, d}),
            linear(name + ".self_attn.k_proj", {d, d}),
            linear(name + ".self_attn.v_proj", {d, d}),
            linear(name + ".self_attn.out_proj", {d, d}),
            norm(name + ".layer_norm2"),
            linear(name + ".mlp.fc1", {d, inner}),
            linear(name + ".mlp.fc2", {inner, d})};
  }

  LayerNorm norm(const std::string& name) {
    return take_layer_norm(weights_, root_ + name, config_.hidden_size, config_.norm_eps);
  }

  std::vector<LoraTarget> adaptable;

 private:
  AdaptedLinear linear(const std::string& name, Channels channels) {
    const std::string full_name = prefix_ + "text_model." + name;
    adaptable.push_back({full_name, {channels.out, channels.in}});
    return {full_name, take_linear(weights_, root_ + name, channels)};
  }

  WeightReader& weights_;
  const TextConfig& config_;
  std::string root_, prefix_;
};

/// OpenAI's CLIP was trained with x * sigmoid(1.702 x), an approximation of GELU; OpenCLIP with GELU itself.
at::Tensor activate(const at::Tensor& x, Activation activation) {
  return activation == Activation::gelu ? at::gelu(x) : x * at::sigmoid(x * 1.702);
}

/// [T, T]: no id sees those behind it.
at::Tensor causal_mask(int64_t length, const at::TensorOptions& options) {
  return at::full({length, length}, -std::numeric_limits<double>::infinity(), options).triu(1);
}

/// Index of the end token in each row, [N]. Published files say eos 2 and mean the largest id, as transformers has it;
/// ids of extra rows, which are larger than the end token's, do not count.
at::Tensor end_positions(const at::Tensor& ids, const TextConfig& config) {
  constexpr int64_t kLegacyEos = 2;
  if (config.eos_id != kLegacyEos) return ids.eq(config.eos_id).to(at::kInt).argmax(-1);
  return ids.masked_fill(ids.ge(config.vocab_size), 0).argmax(-1);
}

}  // namespace

struct ClipTextModel::Impl {
  TextConfig config;
  ModelOptions options;
  at::Tensor tokens;     // [vocab, D]
  at::Tensor positions;  // [max_positions, D]
  std::vector<TextLayer> layers;
  LayerNorm final_norm;
  Linear projection;  // without weight where the model has none
  std::vector<LoraTarget> adaptable;

  Result<void> check(const at::Tensor& ids, const TextPass& pass) const;
  at::Tensor embed(const at::Tensor& ids, const at::Tensor& extra) const;
  at::Tensor run_layer(const TextLayer& layer, const at::Tensor& x, const at::Tensor& mask,
                       const Adapters& adapters) const;
  TextStates run(const at::Tensor& ids, const TextPass& pass) const;
};

Result<void> ClipTextModel::Impl::check(const at::Tensor& ids, const TextPass& pass) const {
  if (ids.dim() != 2 || ids.scalar_type() != at::kLong || ids.size(1) < 1 || ids.size(1) > config.max_positions) {
    return fail(fmt::format("text ids are {} {}, expected [N, T] int64 with T from 1 to {}", shape_text(ids.sizes()),
                            toString(ids.scalar_type()), config.max_positions));
  }
  if (pass.extra.defined() && (pass.extra.dim() != 2 || pass.extra.size(1) != config.hidden_size)) {
    return fail(fmt::format("extra token embeddings are {}, expected [M, {}]", shape_text(pass.extra.sizes()),
                            config.hidden_size));
  }
  const int64_t known = config.vocab_size + (pass.extra.defined() ? pass.extra.size(0) : 0);
  if (ids.numel() > 0 && (ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= known)) {
    return fail(fmt::format("text ids reach from {} to {}, expected 0 to {}", ids.min().item<int64_t>(),
                            ids.max().item<int64_t>(), known - 1));
  }
  return {};
}

/// [N, T] -> [N, T, D]. The rows of `extra` are chosen beside the table, which would be copied if they were joined.
at::Tensor ClipTextModel::Impl::embed(const at::Tensor& ids, const at::Tensor& extra) const {
  at::Tensor x;
  if (extra.defined() && extra.size(0) > 0) {
    const at::Tensor rows = extra.to(options.device, options.dtype);
    const at::Tensor own = at::embedding(tokens, ids.clamp_max(config.vocab_size - 1));
    const at::Tensor added = at::embedding(rows, (ids - config.vocab_size).clamp_min(0));
    x = at::where(ids.ge(config.vocab_size).unsqueeze(-1), added, own);
  } else {
    x = at::embedding(tokens, ids);
  }
  return x + positions.narrow(0, 0, ids.size(1));
}

at::Tensor ClipTextModel::Impl::run_layer(const TextLayer& layer, const at::Tensor& x, const at::Tensor& mask,
                                          const Adapters& adapters) const {
  const at::Tensor h = layer.norm1(x);
  const at::Tensor q = layer.q(h, adapters), k = layer.k(h, adapters), v = layer.v(h, adapters);
  const at::Tensor y = x + layer.out(attention(q, k, v, config.heads, mask), adapters);
  return y + layer.fc2(activate(layer.fc1(layer.norm2(y), adapters), config.activation), adapters);
}

TextStates ClipTextModel::Impl::run(const at::Tensor& ids, const TextPass& pass) const {
  static const Adapters no_adapters;
  const Adapters& adapters = pass.adapters != nullptr ? *pass.adapters : no_adapters;
  const at::Tensor places = ids.to(options.device);
  at::Tensor x = embed(places, pass.extra);  // [N, T, D]
  const at::Tensor mask = causal_mask(ids.size(1), x.options().requires_grad(false));
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) x = run_layer(layers[i], x, mask, adapters);
  TextStates states;
  states.penultimate = x;
  if (pass.depth == TextDepth::penultimate) return states;
  states.last = final_norm(run_layer(layers.back(), x, mask, adapters));
  const at::Tensor rows = at::arange(ids.size(0), places.options());
  states.pooled = states.last.index({rows, end_positions(places, config)});  // [N, D]
  if (projection.weight.defined()) states.embeds = projection(states.pooled);
  return states;
}

ClipTextModel::ClipTextModel(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
ClipTextModel::~ClipTextModel() = default;

Result<std::shared_ptr<const ClipTextModel>> ClipTextModel::create(const TextConfig& config, WeightReader& weights,
                                                                   std::string_view layer_prefix) {
  if (auto ok = check_precision("text encoder", weights.options()); !ok) return tl::unexpected(ok.error());
  const std::string root = weights.has("text_model.final_layer_norm.weight") ? "text_model." : "";
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  impl->options = weights.options();
  impl->tokens = weights.take(root + "embeddings.token_embedding.weight", {config.vocab_size, config.hidden_size});
  impl->positions =
      weights.take(root + "embeddings.position_embedding.weight", {config.max_positions, config.hidden_size});
  LayerTaker taker(weights, config, root, std::string(layer_prefix));
  for (int64_t i = 0; i < config.layers; ++i) impl->layers.push_back(taker.take(i));
  impl->final_norm = taker.norm("final_layer_norm");
  impl->adaptable = std::move(taker.adaptable);
  std::ranges::sort(impl->adaptable, {}, &LoraTarget::name);
  if (config.with_projection) {
    impl->projection = take_linear(weights, "text_projection", {config.hidden_size, config.projection_dim}, Bias::no);
  }
  weights.ignore(root + "embeddings.position_ids");  // a buffer of older files
  weights.ignore("text_projection.weight");          // some files hold it where nothing uses it
  if (auto ok = weights.check(); !ok) return tl::unexpected(ok.error());
  return std::shared_ptr<const ClipTextModel>(new ClipTextModel(std::move(impl)));
}

Result<TextStates> ClipTextModel::forward(const at::Tensor& ids, const TextPass& pass) const {
  if (auto ok = impl_->check(ids, pass); !ok) return tl::unexpected(ok.error());
  return impl_->run(ids, pass);
}

Result<TextStates> ClipTextModel::encode(const at::Tensor& ids, const TextPass& pass) const {
  const at::NoGradGuard no_grad;
  return forward(ids, pass);
}

at::Tensor ClipTextModel::final_norm(const at::Tensor& states) const { return impl_->final_norm(states); }

const std::vector<LoraTarget>& ClipTextModel::adaptable_layers() const noexcept { return impl_->adaptable; }

const TextConfig& ClipTextModel::config() const noexcept { return impl_->config; }

const ModelOptions& ClipTextModel::options() const noexcept { return impl_->options; }

}  // namespace atelier::diffusion
