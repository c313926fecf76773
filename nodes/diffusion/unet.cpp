#include "diffusion/unet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diffusion/layers.h"
#include "diffusion/precision.h"
#include "diffusion/safetensors.h"
#include "diffusion/unet_blocks.h"

namespace atelier::diffusion {
namespace {

constexpr double kTimePeriod = 10000;    // the slowest wave of the timestep embedding
constexpr int64_t kTimeWidthFactor = 4;  // channels of the time embedding, per channel of the first level

/// Sinusoids of the numbers, cosines first (Ho et al. 2020), in float32: […] -> […, channels].
at::Tensor waves_of(const at::Tensor& numbers, int64_t channels) {
  const int64_t half = channels / 2;
  const auto options = numbers.options().dtype(at::kFloat);
  const at::Tensor exponents = at::arange(half, options) * (-std::log(kTimePeriod)) / static_cast<double>(half);
  const at::Tensor angles = numbers.to(at::kFloat).unsqueeze(-1) * exponents.exp();
  return at::cat({angles.cos(), angles.sin()}, -1);
}

/// diffusers' TimestepEmbedding: two layers, SiLU between them.
struct VectorEmbedding {
  AdaptedLinear first, second;

  /// [N, in] -> [N, 4 * width], in the dtype of the weights.
  at::Tensor operator()(const at::Tensor& x, const Adapters& adapters) const {
    const at::Tensor rows = x.to(first.linear.weight.scalar_type()).unsqueeze(1);  // [N, 1, in]
    return second(at::silu(first(rows, adapters)), adapters).squeeze(1);
  }
};

}  // namespace

struct UNet::Impl {
  Impl(UNetConfig unet_config, WeightReader& weights);

  BlockSpec spec_of(std::string name, const UNetLevel& level, bool attention) const;
  VectorEmbedding take_embedding(WeightReader& weights, const std::string& name, int64_t in);
  void take_down(WeightReader& weights);
  void take_mid(WeightReader& weights);
  void take_up(WeightReader& weights);

  at::Tensor embed_vectors(const UNetInput& input, const Adapters& adapters) const;

  UNetConfig config;
  ModelOptions options;
  std::vector<LoraTarget> adaptable;
  AdaptedConv conv_in, conv_out;
  VectorEmbedding time;
  std::optional<VectorEmbedding> text_time;
  std::vector<UNetBlock> down, up;
  UNetMiddle middle;
  GroupNorm norm_out;
};

UNet::Impl::Impl(UNetConfig unet_config, WeightReader& weights)
    : config(std::move(unet_config)), options(weights.options()) {
  const int64_t first = config.levels.front().channels;
  const auto conv = [&](const std::string& name, Channels channels) {
    adaptable.push_back({name, {channels.out, channels.in, 3, 3}});
    return AdaptedConv{name, take_conv(weights, name, channels, 3)};
  };
  conv_in = conv("conv_in", {config.in_channels, first});
  time = take_embedding(weights, "time_embedding", first);
  if (config.text_time) text_time = take_embedding(weights, "add_embedding", config.text_time->input);
  take_down(weights);
  take_mid(weights);
  take_up(weights);
  norm_out = take_group_norm(weights, "conv_norm_out", first, {config.norm_groups, config.norm_eps});
  conv_out = conv("conv_out", {first, config.out_channels});
  std::ranges::sort(adaptable, {}, &LoraTarget::name);
}

VectorEmbedding UNet::Impl::take_embedding(WeightReader& weights, const std::string& name, int64_t in) {
  const int64_t out = kTimeWidthFactor * config.levels.front().channels;
  const auto linear = [&](const std::string& layer, Channels channels) {
    adaptable.push_back({layer, {channels.out, channels.in}});
    return AdaptedLinear{layer, take_linear(weights, layer, channels)};
  };
  return {linear(name + ".linear_1", {in, out}), linear(name + ".linear_2", {out, out})};
}

BlockSpec UNet::Impl::spec_of(std::string name, const UNetLevel& level, bool attention) const {
  BlockSpec spec;
  spec.name = std::move(name);
  spec.norm = {config.norm_groups, config.norm_eps};
  spec.time_channels = kTimeWidthFactor * config.levels.front().channels;
  if (attention)
    spec.attention = TransformerSpec{.channels = level.channels,
                                     .heads = level.heads,
                                     .layers = level.transformer_layers,
                                     .context_channels = config.cross_attention_dim,
                                     .norm_groups = config.norm_groups,
                                     .linear_projection = config.linear_projection,
                                     .upcast_attention = config.upcast_attention};
  return spec;
}

void UNet::Impl::take_down(WeightReader& weights) {
  int64_t channels = config.levels.front().channels;  // conv_in gives as many as the first level has
  for (size_t i = 0; i < config.levels.size(); ++i) {
    const UNetLevel& level = config.levels[i];
    BlockSpec spec = spec_of(fmt::format("down_blocks.{}", i), level, level.cross_attention);
    for (int64_t j = 0; j < config.layers_per_block; ++j) {
      spec.resnets.push_back({channels, level.channels});
      channels = level.channels;
    }
    spec.resample = i + 1 < config.levels.size();
    down.push_back(take_down_block(weights, spec, adaptable));
  }
}

void UNet::Impl::take_mid(WeightReader& weights) {
  const UNetLevel& last = config.levels.back();
  BlockSpec spec = spec_of("mid_block", last, true);
  spec.resnets.assign(2, {last.channels, last.channels});
  middle = take_middle(weights, spec, adaptable);
}

void UNet::Impl::take_up(WeightReader& weights) {
  const size_t count = config.levels.size();
  int64_t channels = config.levels.back().channels;
  for (size_t i = 0; i < count; ++i) {
    const UNetLevel& level = config.levels[count - 1 - i];
    // The last skip of a level comes from the level above it, whose channels it still has.
    const int64_t above = config.levels[i + 1 < count ? count - 2 - i : 0].channels;
    BlockSpec spec = spec_of(fmt::format("up_blocks.{}", i), level, level.cross_attention);
    for (int64_t j = 0; j <= config.layers_per_block; ++j) {
      const int64_t skip = j == config.layers_per_block ? above : level.channels;
      spec.resnets.push_back({channels + skip, level.channels});
      channels = level.channels;
    }
    spec.resample = i + 1 < count;
    up.push_back(take_up_block(weights, spec, adaptable));
  }
}

UNet::UNet(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
UNet::~UNet() = default;

Result<std::shared_ptr<const UNet>> UNet::create(const UNetConfig& config, WeightReader& weights) {
  if (auto ok = check_precision("UNet", weights.options()); !ok) return tl::unexpected(ok.error());
  auto impl = std::make_unique<const Impl>(config, weights);
  if (auto complete = weights.check(); !complete) return tl::unexpected(complete.error());
  return std::shared_ptr<const UNet>(new UNet(std::move(impl)));
}

at::Tensor UNet::forward(const UNetInput& input, const Adapters& adapters) const {
  const Impl& net = *impl_;
  const at::ScalarType dtype = net.options.dtype;
  const Conditioning with{adapters, net.embed_vectors(input, adapters), input.context.to(dtype), input.recompute};

  at::Tensor x = net.conv_in(input.sample.to(dtype), adapters);
  std::vector<at::Tensor> skips{x};
  for (const UNetBlock& block : net.down) x = block.down(std::move(x), with, skips);
  x = net.middle(std::move(x), with);
  for (const UNetBlock& block : net.up) x = block.up(std::move(x), with, skips);
  return net.conv_out(at::silu(net.norm_out(x)), adapters).to(at::kFloat);
}

/// The embedding of the timesteps, and in SDXL that of text and sizes added to it: [N, 4 * width].
at::Tensor UNet::Impl::embed_vectors(const UNetInput& input, const Adapters& adapters) const {
  const at::Tensor embedding = time(waves_of(input.timesteps, config.levels.front().channels), adapters);
  if (!text_time) return embedding;
  const at::Tensor sizes = waves_of(input.time_ids, config.text_time->size_waves).flatten(1);  // [N, 6 * size_waves]
  return embedding + (*text_time)(at::cat({input.pooled.to(at::kFloat), sizes}, 1), adapters);
}

namespace {

/// The pooled text and the sizes: both in SDXL, neither elsewhere.
Result<void> check_text_time(const UNetConfig& config, const UNetInput& input) {
  if (!config.text_time) {
    if (!input.pooled.defined() && !input.time_ids.defined()) return {};
    return fail("UNet: pooled text or sizes were given, which only SDXL takes");
  }
  if (!input.pooled.defined() || !input.time_ids.defined())
    return fail("UNet: SDXL wants the pooled text and the sizes too, and one of them is missing");
  const int64_t rows = input.sample.size(0), width = config.text_time->pooled();
  if (input.pooled.dim() != 2 || input.pooled.size(0) != rows || input.pooled.size(1) != width)
    return fail(fmt::format("UNet: the pooled text has shape {}, wanted is [{}, {}]", shape_text(input.pooled.sizes()),
                            rows, width));
  if (input.time_ids.dim() != 2 || input.time_ids.size(0) != rows || input.time_ids.size(1) != TextTimeConfig::kSizes)
    return fail(fmt::format("UNet: the sizes have shape {}, wanted is [{}, {}]", shape_text(input.time_ids.sizes()),
                            rows, TextTimeConfig::kSizes));
  return {};
}

}  // namespace

Result<void> UNet::check(const UNetInput& input) const {
  const UNetConfig& config = impl_->config;
  const auto& sample = input.sample;
  if (!sample.defined() || !input.timesteps.defined() || !input.context.defined())
    return fail("UNet: a sample, timesteps and caption embeddings are wanted, and one of them is missing");
  if (sample.dim() != 4 || sample.size(0) < 1 || sample.size(1) != config.in_channels)
    return fail(fmt::format("UNet: the sample has shape {}, wanted is [N, {}, height, width]",
                            shape_text(sample.sizes()), config.in_channels));
  const int64_t rows = sample.size(0);
  if (input.timesteps.dim() != 1 || input.timesteps.size(0) != rows)
    return fail(
        fmt::format("UNet: the timesteps have shape {}, wanted is [{}]", shape_text(input.timesteps.sizes()), rows));
  if (input.context.dim() != 3 || input.context.size(0) != rows || input.context.size(2) != config.cross_attention_dim)
    return fail(fmt::format("UNet: the caption embeddings have shape {}, wanted is [{}, tokens, {}]",
                            shape_text(input.context.sizes()), rows, config.cross_attention_dim));
  return check_text_time(config, input);
}

const UNetConfig& UNet::config() const noexcept { return impl_->config; }

at::Device UNet::device() const noexcept { return impl_->options.device; }

at::ScalarType UNet::dtype() const noexcept { return impl_->options.dtype; }

const std::vector<LoraTarget>& UNet::adaptable_layers() const noexcept { return impl_->adaptable; }

std::vector<LoraTarget> UNet::lora_targets() const {
  std::vector<LoraTarget> targets;
  std::ranges::copy_if(impl_->adaptable, std::back_inserter(targets),
                       [](const LoraTarget& target) { return is_lora_target(target.name); });
  return targets;
}

Result<void> UNet::check(const Lora& lora) const {
  for (const auto& [name, layer] : lora.layers) {
    if (part_of(name) != LoraPart::unet) continue;
    const auto found = std::ranges::lower_bound(impl_->adaptable, name, {}, &LoraTarget::name);
    if (found == impl_->adaptable.end() || found->name != name)
      return fail(fmt::format("LoRA layer '{}': the base model has no such layer", name));
    if (!fits(layer, found->weight_shape))
      return fail(fmt::format("LoRA layer '{}': changes a weight of shape {}, the base model's is {}", name,
                              shape_text(layer.delta_shape()), shape_text(found->weight_shape)));
  }
  return {};
}

}  // namespace atelier::diffusion
