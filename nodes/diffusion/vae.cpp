#include "diffusion/vae.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "diffusion/layers.h"
#include "diffusion/precision.h"
#include "diffusion/safetensors.h"
#include "diffusion/vae_tiling.h"

namespace atelier::diffusion {
namespace {

constexpr double kNormEps = 1e-6;  // of every norm in AutoencoderKL, whatever the UNet's is
constexpr double kMinLogvar = -30.0, kMaxLogvar = 20.0;

/// One head over all places of the map.
struct VaeAttention {
  GroupNorm norm;
  Linear q, k, v, out;

  at::Tensor operator()(const at::Tensor& x) const {
    const at::Tensor tokens = norm(x).flatten(2).transpose(1, 2);  // [N, H*W, C]
    const at::Tensor y = out(attention(q(tokens), k(tokens), v(tokens), 1));
    return x + y.transpose(1, 2).reshape(x.sizes());
  }
};

struct MidBlock {
  ResnetBlock first;
  std::optional<VaeAttention> attention;
  ResnetBlock second;

  at::Tensor operator()(const at::Tensor& x) const {
    const at::Tensor h = first(x);
    return second(attention ? (*attention)(h) : h);
  }
};

/// Some resnets, then a change of resolution, but for the last block.
struct VaeBlock {
  std::vector<ResnetBlock> resnets;
  std::optional<Conv2d> resample;
};

struct Encoder {
  Conv2d conv_in;
  std::vector<VaeBlock> blocks;
  MidBlock mid;
  GroupNorm norm_out;
  Conv2d conv_out;

  at::Tensor operator()(const at::Tensor& images) const {
    at::Tensor x = conv_in(images);
    for (const VaeBlock& block : blocks) {
      for (const ResnetBlock& resnet : block.resnets) x = resnet(x);
      // Padded to the right and below only: what makes 3x3 at stride 2 halve an even size.
      if (block.resample) x = (*block.resample)(at::constant_pad_nd(x, {0, 1, 0, 1}));
    }
    return conv_out(at::silu(norm_out(mid(x))));
  }
};

struct Decoder {
  Conv2d conv_in;
  MidBlock mid;
  std::vector<VaeBlock> blocks;
  GroupNorm norm_out;
  Conv2d conv_out;

  at::Tensor operator()(const at::Tensor& latents) const {
    at::Tensor x = mid(conv_in(latents));
    for (const VaeBlock& block : blocks) {
      for (const ResnetBlock& resnet : block.resnets) x = resnet(x);
      if (block.resample) x = (*block.resample)(upsample_nearest_2x(x));
    }
    return conv_out(at::silu(norm_out(x)));
  }
};

/// A projection of the attention: a linear layer, which files before diffusers 0.13 name otherwise and the oldest hold
/// as a 1x1 convolution.
Linear take_projection(WeightReader& weights, const std::string& name, const std::string& old_name, int64_t channels) {
  return {weights.take_reshaped({name + ".weight", old_name + ".weight"}, {channels, channels}),
          weights.take_any({name + ".bias", old_name + ".bias"}, {channels})};
}

MidBlock take_mid(WeightReader& weights, const std::string& name, const VaeConfig& config) {
  const int64_t channels = config.block_out_channels.back();
  const NormSpec norm{config.norm_groups, kNormEps};
  const Channels same{channels, channels};
  MidBlock mid{take_resnet(weights, name + ".resnets.0", same, norm), std::nullopt,
               take_resnet(weights, name + ".resnets.1", same, norm)};
  if (config.mid_block_attention) {
    const std::string at = name + ".attentions.0";
    mid.attention = VaeAttention{take_group_norm(weights, at + ".group_norm", channels, norm),
                                 take_projection(weights, at + ".to_q", at + ".query", channels),
                                 take_projection(weights, at + ".to_k", at + ".key", channels),
                                 take_projection(weights, at + ".to_v", at + ".value", channels),
                                 take_projection(weights, at + ".to_out.0", at + ".proj_attn", channels)};
  }
  return mid;
}

std::vector<ResnetBlock> take_resnets(WeightReader& weights, const std::string& name, Channels channels, int64_t count,
                                      NormSpec norm) {
  std::vector<ResnetBlock> resnets;
  for (int64_t j = 0; j < count; ++j) {
    resnets.push_back(take_resnet(weights, fmt::format("{}.resnets.{}", name, j),
                                  {j == 0 ? channels.in : channels.out, channels.out}, norm));
  }
  return resnets;
}

Encoder take_encoder(WeightReader& weights, const VaeConfig& config) {
  const auto& widths = config.block_out_channels;
  const NormSpec norm{config.norm_groups, kNormEps};
  std::vector<VaeBlock> blocks;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string name = fmt::format("encoder.down_blocks.{}", i);
    const int64_t in = i == 0 ? widths[0] : widths[i - 1], out = widths[i];
    VaeBlock block{take_resnets(weights, name, {in, out}, config.layers_per_block, norm), std::nullopt};
    if (i + 1 < widths.size()) {
      block.resample = take_conv(weights, name + ".downsamplers.0.conv", {out, out}, 3, /*stride=*/2, /*padding=*/0);
    }
    blocks.push_back(std::move(block));
  }
  return {take_conv(weights, "encoder.conv_in", {config.in_channels, widths.front()}, 3), std::move(blocks),
          take_mid(weights, "encoder.mid_block", config),
          take_group_norm(weights, "encoder.conv_norm_out", widths.back(), norm),
          take_conv(weights, "encoder.conv_out", {widths.back(), 2 * config.latent_channels}, 3)};
}

Decoder take_decoder(WeightReader& weights, const VaeConfig& config) {
  const auto& widths = config.block_out_channels;
  const NormSpec norm{config.norm_groups, kNormEps};
  std::vector<VaeBlock> blocks;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string name = fmt::format("decoder.up_blocks.{}", i);
    const int64_t out = widths[widths.size() - 1 - i], in = i == 0 ? out : widths[widths.size() - i];
    VaeBlock block{take_resnets(weights, name, {in, out}, config.layers_per_block + 1, norm), std::nullopt};
    if (i + 1 < widths.size()) block.resample = take_conv(weights, name + ".upsamplers.0.conv", {out, out}, 3);
    blocks.push_back(std::move(block));
  }
  return {take_conv(weights, "decoder.conv_in", {config.latent_channels, widths.back()}, 3),
          take_mid(weights, "decoder.mid_block", config), std::move(blocks),
          take_group_norm(weights, "decoder.conv_norm_out", widths.front(), norm),
          take_conv(weights, "decoder.conv_out", {widths.front(), config.out_channels}, 3)};
}

}  // namespace

struct Vae::Impl {
  VaeConfig config;
  ModelOptions options;
  Encoder encoder;
  std::optional<Conv2d> quant;
  std::optional<Conv2d> post_quant;
  Decoder decoder;

  /// Whether a pass is recorded. Whoever trains one half trains all of its layers.
  bool records() const {
    return at::GradMode::is_enabled() &&
           (encoder.conv_in.weight.requires_grad() || decoder.conv_in.weight.requires_grad());
  }
  Result<void> check(const VaePass& pass) const;
  at::Tensor run_encoder(const at::Tensor& images) const;
  at::Tensor run_decoder(const at::Tensor& latents) const;
};

namespace {

constexpr int64_t kTileParts = 4;  // tiles overlap by a fourth, which has to be whole in latents

/// `run` as the pass says: picture by picture, and in tiles where one does not fit a tile.
at::Tensor run_pass(const at::Tensor& x, const VaePass& pass, Tiles tiles,
                    const std::function<at::Tensor(const at::Tensor&)>& run) {
  if (pass.slicing && x.size(0) > 1) {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& one : x.split(1)) parts.push_back(run_pass(one, {.tile_px = pass.tile_px}, tiles, run));
    return at::cat(parts);
  }
  if (pass.tile_px && (x.size(2) > tiles.in || x.size(3) > tiles.in)) return run_in_tiles(x, tiles, run);
  return run(x);
}

}  // namespace

Result<void> Vae::Impl::check(const VaePass& pass) const {
  const int64_t whole = kTileParts * config.downscale();
  if (!pass.tile_px || (*pass.tile_px > 0 && *pass.tile_px % whole == 0)) return {};
  return fail(fmt::format("VAE tiles are {} px, expected a multiple of {}", *pass.tile_px, whole));
}

at::Tensor Vae::Impl::run_encoder(const at::Tensor& images) const {
  const at::Tensor moments = encoder(images.to(options.dtype));
  return (quant ? (*quant)(moments) : moments).to(at::kFloat);
}

at::Tensor Vae::Impl::run_decoder(const at::Tensor& latents) const {
  const at::Tensor z = latents.to(options.dtype);
  return decoder(post_quant ? (*post_quant)(z) : z).to(at::kFloat);
}

at::Tensor Posterior::std() const { return (logvar * 0.5).exp(); }

Vae::Vae(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Vae::~Vae() = default;

Result<std::shared_ptr<const Vae>> Vae::create(const VaeConfig& config, WeightReader& weights) {
  const int64_t z = config.latent_channels;
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  if (config.force_upcast) weights.set_dtype(at::kFloat);
  if (auto ok = check_precision("VAE", weights.options()); !ok) return tl::unexpected(ok.error());
  impl->options = weights.options();
  impl->encoder = take_encoder(weights, config);
  impl->decoder = take_decoder(weights, config);
  if (config.quant_conv) impl->quant = take_conv(weights, "quant_conv", {2 * z, 2 * z}, 1);
  if (config.post_quant_conv) impl->post_quant = take_conv(weights, "post_quant_conv", {z, z}, 1);
  if (auto ok = weights.check(); !ok) return tl::unexpected(ok.error());
  return std::shared_ptr<const Vae>(new Vae(std::move(impl)));
}

Result<Posterior> Vae::encode(const at::Tensor& images, const VaePass& pass) const {
  const VaeConfig& config = impl_->config;
  const int64_t step = config.downscale();
  if (images.dim() != 4 || images.size(1) != config.in_channels || images.size(2) < step || images.size(3) < step ||
      images.size(2) % step != 0 || images.size(3) % step != 0) {
    return fail(fmt::format("images are {}, expected [N, {}, H, W] with H and W multiples of {}",
                            shape_text(images.sizes()), config.in_channels, step));
  }
  if (auto ok = impl_->check(pass); !ok) return tl::unexpected(ok.error());
  const at::AutoGradMode grad_mode(impl_->records());
  const int64_t tile = pass.tile_px.value_or(0);
  const at::Tensor moments = run_pass(images.to(impl_->options.device), pass, {.in = tile, .out = tile / step},
                                      [this](const at::Tensor& x) { return impl_->run_encoder(x); });
  const auto parts = moments.chunk(2, 1);
  return Posterior{parts[0].contiguous(), parts[1].clamp(kMinLogvar, kMaxLogvar)};
}

Result<at::Tensor> Vae::decode(const at::Tensor& latents, const VaePass& pass) const {
  const VaeConfig& config = impl_->config;
  if (latents.dim() != 4 || latents.size(1) != config.latent_channels || latents.size(2) < 1 || latents.size(3) < 1) {
    return fail(
        fmt::format("latents are {}, expected [N, {}, h, w]", shape_text(latents.sizes()), config.latent_channels));
  }
  if (auto ok = impl_->check(pass); !ok) return tl::unexpected(ok.error());
  const at::AutoGradMode grad_mode(impl_->records());
  const int64_t tile = pass.tile_px.value_or(0);
  return run_pass(latents.to(impl_->options.device), pass, {.in = tile / config.downscale(), .out = tile},
                  [this](const at::Tensor& x) { return impl_->run_decoder(x); });
}

const VaeConfig& Vae::config() const noexcept { return impl_->config; }

}  // namespace atelier::diffusion
