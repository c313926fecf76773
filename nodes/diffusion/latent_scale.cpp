#include "diffusion/latent_scale.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace atelier::diffusion {
namespace {

constexpr double kLeastDeviation = 1e-6;  // a channel that varies less carries nothing

}  // namespace

LatentStatistics latent_statistics(const at::Tensor& means) {
  const at::Tensor channels = means.to(at::kDouble).transpose(0, 1).flatten(1);  // [latent_channels, N * h * w]
  return {channels.mean(1), channels.std(1, /*unbiased=*/false)};
}

Result<void> standardise_latents(WeightMap& vae, const VaeConfig& config, const LatentStatistics& statistics) {
  if (!config.quant_conv || !config.post_quant_conv)
    return fail(
        "the autoencoder has no quant_conv and post_quant_conv, in which the scale of its latents could be put");
  const int64_t z = config.latent_channels;
  for (int64_t c = 0; c < z; ++c)
    if (const double deviation = statistics.std[c].item<double>(); !(deviation > kLeastDeviation))
      return fail(fmt::format("channel {} of the latents does not vary (deviation {:.3g})", c, deviation));
  const at::Tensor gain = 1.0 / (statistics.std * config.scaling_factor);  // [z]

  at::Tensor weight = vae.at("quant_conv.weight").to(at::kDouble, false, true);  // [2 z, 2 z, 1, 1]
  at::Tensor bias = vae.at("quant_conv.bias").to(at::kDouble, false, true);      // [2 z]: means, then log variances
  weight.narrow(0, 0, z).mul_(gain.view({z, 1, 1, 1}));
  bias.narrow(0, 0, z).sub_(statistics.mean).mul_(gain);
  bias.narrow(0, z, z).add_(2 * gain.log());

  at::Tensor back = vae.at("post_quant_conv.weight").to(at::kDouble, false, true);  // [z, z, 1, 1]
  at::Tensor shift = vae.at("post_quant_conv.bias").to(at::kDouble, false, true);   // [z]
  shift.add_(at::mv(back.view({z, z}), statistics.mean));
  back.div_(gain.view({1, z, 1, 1}));

  for (const auto& [name, value] :
       {std::pair{"quant_conv.weight", weight}, std::pair{"quant_conv.bias", bias},
        std::pair{"post_quant_conv.weight", back}, std::pair{"post_quant_conv.bias", shift}})
    vae[name] = value.to(at::kFloat);
  return {};
}

}  // namespace atelier::diffusion
