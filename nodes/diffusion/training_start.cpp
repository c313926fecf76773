#include "diffusion/training_start.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <numbers>
#include <string>
#include <string_view>

namespace atelier::diffusion {
namespace {

constexpr double kLogvar = -6;  // a standard deviation of 0.05
constexpr double kSharper = 2;  // queries and keys of cross attention
constexpr double kLogit = 8;    // of the word that a head of the text encoder finds; 0 for all others
constexpr int64_t kLegacyEos = 2;
constexpr double kGathered = 4;  // what the mean of all words weighs beside a word

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
    if (has(name, ".conv2.") || has(name, ".proj_out.") || name.starts_with("conv_out."))
      tensor.zero_();
    else if (has(name, ".attn2.to_q.") || has(name, ".attn2.to_k."))
      tensor.mul_(kSharper);
}

void start_by_neighbours(WeightMap& text, const TextConfig& config) {
  if (config.heads == 1 || config.hidden_size % (2 * config.heads) != 0) return;
  const std::string embeddings = "text_model.embeddings.";
  at::Tensor &words = text.at(embeddings + "token_embedding.weight"),
             &places = text.at(embeddings + "position_embedding.weight");
  const int64_t heads = config.heads, waves = config.hidden_size / heads / 2, taken = 2 * waves;
  words.div_(words.std());
  words.narrow(1, 0, taken).zero_();
  words[config.eos_id == kLegacyEos ? words.size(0) - 1 : config.eos_id].zero_();  // and padding, which is the same
  places.zero_();
  // Frequencies at which the waves of two different places are orthogonal, up to 2 * waves places apart.
  const at::Tensor frequency = (at::arange(waves, at::kFloat) + 0.5) * (std::numbers::pi / static_cast<double>(waves));
  const at::Tensor angle = at::arange(places.size(0), at::kFloat).unsqueeze(1) * frequency;
  places.narrow(1, 0, waves).copy_(angle.cos());
  places.narrow(1, waves, waves).copy_(angle.sin());

  const auto of_layer = [&](int64_t layer, const char* name) -> at::Tensor& {
    return text.at(fmt::format("text_model.encoder.layers.{}.{}.weight", layer, name));
  };
  const auto keeps_places = [&](const at::Tensor& reads, const at::Tensor& writes, double gain) {
    // What is drawn has a gain of 1 / sqrt(3).
    reads.mul_(std::sqrt(3.0)).narrow(1, 0, taken).zero_();
    writes.mul_(gain).narrow(0, 0, taken).zero_();
  };
  at::Tensor &q = of_layer(0, "self_attn.q_proj"), &k = of_layer(0, "self_attn.k_proj");
  q.zero_();
  k.zero_();
  const double strength = kLogit * std::sqrt(static_cast<double>(taken)) / static_cast<double>(waves);
  for (int64_t head = 0; head < heads; ++head) {
    const at::Tensor back = frequency * static_cast<double>(head + 1);
    const at::Tensor cosine = back.cos().diag() * strength, sine = back.sin().diag() * strength;
    const auto block = [&](const at::Tensor& weight, int64_t row, int64_t column) {
      return weight.narrow(0, (2 * head + row) * waves, waves).narrow(1, column * waves, waves);
    };
    block(q, 0, 0).copy_(cosine);  // the waves of the place head + 1 before
    block(q, 0, 1).copy_(sine);
    block(q, 1, 0).copy_(-sine);
    block(q, 1, 1).copy_(cosine);
    for (int64_t part : {0, 1}) block(k, part, part).copy_(at::eye(waves));
  }
  keeps_places(of_layer(0, "self_attn.v_proj"), of_layer(0, "self_attn.out_proj"), std::sqrt(3.0));
  keeps_places(of_layer(0, "mlp.fc1"), of_layer(0, "mlp.fc2"), 1);

  const int64_t last = config.layers - 1;
  if (last == 0) return;
  of_layer(last, "self_attn.q_proj").zero_();  // all words alike
  of_layer(last, "self_attn.k_proj").zero_();
  keeps_places(of_layer(last, "self_attn.v_proj"), of_layer(last, "self_attn.out_proj"), kGathered * std::sqrt(3.0));
}

}  // namespace atelier::diffusion
