#include "diffusion/training_start.h"

#include <ATen/ATen.h>

#include <string_view>

namespace atelier::diffusion {
namespace {

constexpr double kLogvar = -6;  // a standard deviation of 0.05

bool has(std::string_view name, std::string_view part) { return name.find(part) != std::string_view::npos; }

/// [out, in, k, k]: each channel out is channel out % in, at the places of the kernel where `where` is not 0.
at::Tensor copies(const at::Tensor& weight, const at::Tensor& where) {
  const at::Tensor row = at::arange(weight.size(0), at::kLong);
  at::Tensor chosen = at::zeros({weight.size(0), weight.size(1), 1, 1}, at::kFloat);
  chosen.index_put_({row, row.remainder(weight.size(1)), at::zeros_like(row), at::zeros_like(row)}, at::ones({1}));
  return chosen * where;
}

at::Tensor middle_of(int64_t side) {
  at::Tensor kernel = at::zeros({side, side}, at::kFloat);
  kernel[side / 2][side / 2] = 1;
  return kernel;
}

/// The downsampling convolution's stride is 2, with a margin on the right and below only.
at::Tensor mean_of_four(int64_t side) {
  at::Tensor kernel = at::zeros({side, side}, at::kFloat);
  kernel.narrow(0, 0, 2).narrow(1, 0, 2).fill_(0.25);
  return kernel;
}

}  // namespace

void start_by_averaging(WeightMap& vae) {
  for (auto& [name, tensor] : vae) {
    if (has(name, ".conv2.") || has(name, ".to_out.")) {
      tensor.zero_();
    } else if (has(name, "samplers.") || has(name, ".conv_shortcut.")) {
      const bool smaller = has(name, ".downsamplers.");
      if (tensor.dim() == 4)
        tensor = copies(tensor, smaller ? mean_of_four(tensor.size(2)) : middle_of(tensor.size(2)));
      else
        tensor.zero_();
    }
  }
  // Without a quant_conv the posterior is what the encoder's last convolution makes of it.
  if (vae.contains("quant_conv.weight")) set_log_variance(vae, kLogvar);
}

void set_log_variance(WeightMap& vae, double logvar) {
  at::Tensor &weight = vae.at("quant_conv.weight"), &bias = vae.at("quant_conv.bias");
  const int64_t channels = bias.size(0) / 2;
  weight.narrow(0, channels, channels).zero_();
  bias.narrow(0, channels, channels).fill_(logvar);
}

void start_at_zero(WeightMap& unet) {
  for (auto& [name, tensor] : unet)
    if (has(name, ".conv2.") || has(name, ".proj_out.") || name.starts_with("conv_out.")) tensor.zero_();
}

}  // namespace atelier::diffusion
