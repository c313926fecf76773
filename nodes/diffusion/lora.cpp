#include "diffusion/lora.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace atelier::diffusion {

std::vector<int64_t> LoraLayer::delta_shape() const {
  std::vector<int64_t> shape = a.sizes().vec();
  shape[0] = b.size(0);
  return shape;
}

namespace {

/// [out, in] of a 1x1 convolution, any other shape as it is.
std::vector<int64_t> without_pixel(at::IntArrayRef shape) {
  const bool pointwise = shape.size() == 4 && shape[2] == 1 && shape[3] == 1;
  return pointwise ? shape.slice(0, 2).vec() : shape.vec();
}

}  // namespace

bool fits(const LoraLayer& layer, at::IntArrayRef weight_shape) {
  return without_pixel(layer.delta_shape()) == without_pixel(weight_shape);
}

LoraLayer in_form_of(const LoraLayer& layer, at::IntArrayRef weight_shape) {
  std::vector<int64_t> down = weight_shape.vec();
  down[0] = layer.rank();
  return {.a = layer.a.reshape(down), .b = layer.b, .alpha = layer.alpha};
}

Lora in_float32(Lora lora) {
  for (auto& [name, layer] : lora.layers) {
    layer.a = layer.a.to(at::kFloat);
    layer.b = layer.b.to(at::kFloat);
  }
  return lora;
}

Lora in_form_of(Lora lora, std::span<const LoraTarget> targets) {
  for (const LoraTarget& target : targets) {
    const auto found = lora.layers.find(target.name);
    if (found != lora.layers.end() && fits(found->second, target.weight_shape))
      found->second = in_form_of(found->second, target.weight_shape);
  }
  return lora;
}

at::Tensor LoraLayer::delta() const {
  const at::Tensor up = b.flatten(1).to(at::kFloat);    // [out, r]
  const at::Tensor down = a.flatten(1).to(at::kFloat);  // [r, in * kh * kw]
  return at::mm(up, down).mul_(scale()).view(delta_shape());
}

LoraPart part_of(std::string_view layer) {
  if (layer.starts_with(kTextEncoderPrefix)) return LoraPart::text_encoder;
  return layer.starts_with(kTextEncoder2Prefix) ? LoraPart::text_encoder_2 : LoraPart::unet;
}

std::string_view path_in_part(std::string_view layer) {
  switch (part_of(layer)) {
    case LoraPart::text_encoder:
      return layer.substr(kTextEncoderPrefix.size());
    case LoraPart::text_encoder_2:
      return layer.substr(kTextEncoder2Prefix.size());
    case LoraPart::unet:
      break;
  }
  return layer;
}

bool has_part(const Lora& lora, LoraPart part) {
  return std::ranges::any_of(lora.layers, [&](const auto& layer) { return part_of(layer.first) == part; });
}

bool is_lora_target(std::string_view module_path) {
  static constexpr std::array<std::string_view, 8> endings = {".to_q",    ".to_k",     ".to_v",          ".to_out.0",
                                                              ".proj_in", ".proj_out", ".ff.net.0.proj", ".ff.net.2"};
  for (const std::string_view ending : endings)
    if (module_path.ends_with(ending)) return true;
  return false;
}

namespace {

LoraLayer initial_layer(const LoraTarget& target, int64_t rank, double alpha, const UniformSource& uniform) {
  const std::vector<int64_t>& weight = target.weight_shape;
  const int64_t fan_in = std::accumulate(weight.begin() + 1, weight.end(), int64_t{1}, std::multiplies<>());
  std::vector<float> values(static_cast<size_t>(rank * fan_in));
  uniform(target.name, values);

  const auto bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)));
  for (float& value : values) value = (2.0F * value - 1.0F) * bound;

  std::vector<int64_t> shape = weight;  // [out, in, …] -> [r, in, …]
  shape[0] = rank;
  return {.a = at::from_blob(values.data(), shape, at::kFloat).clone(),
          .b = at::zeros({weight[0], rank}, at::kFloat),
          .alpha = alpha};
}

}  // namespace

Lora initial_lora(std::span<const LoraTarget> targets, int64_t rank, double alpha, const UniformSource& uniform) {
  Lora lora;
  for (const LoraTarget& target : targets) lora.layers[target.name] = initial_layer(target, rank, alpha, uniform);
  return lora;
}

}  // namespace atelier::diffusion
