#include "diffusion/lora_updates.h"

#include <fmt/format.h>

#include <limits>

namespace atelier::diffusion {
namespace {

/// As LyCORIS adds to a norm before it divides by it; peft adds nothing, which differs by one rounding.
constexpr double kEpsilon = std::numeric_limits<float>::epsilon();

/// Whether a magnitude is measured over the inputs, [1, in, …], and not over the outputs.
bool is_of_inputs(const at::Tensor& magnitude, at::IntArrayRef weight_shape) {
  return magnitude.dim() > 1 && magnitude.size(0) == 1 && magnitude.numel() == weight_shape[1];
}

/// magnitude * W / ||W||, float64.
at::Tensor with_magnitude(const at::Tensor& weight, const at::Tensor& magnitude) {
  const int64_t kept = is_of_inputs(magnitude, weight.sizes()) ? 1 : 0;
  const at::Tensor rows = weight.transpose(0, kept).flatten(1).to(at::kDouble);
  const at::Tensor factor = magnitude.flatten().to(at::kDouble) / (rows.square().sum(1).sqrt() + kEpsilon);
  std::vector<int64_t> shape(static_cast<size_t>(weight.dim()), 1);
  shape[static_cast<size_t>(kept)] = -1;
  return weight.to(at::kDouble) * factor.view(shape);
}

}  // namespace

Result<Lora> as_lora(LoraUpdates updates) {
  if (!updates.magnitudes.empty())
    return fail(
        fmt::format("LoRA layer '{}' is of the kind DoRA, whose update depends on the base's weight: the base is "
                    "needed",
                    updates.magnitudes.begin()->first));
  if (!updates.dense.empty())
    return fail(
        fmt::format("LoRA layer '{}' is of the kind {}, whose update is a full matrix: a rank to reduce it to is "
                    "needed",
                    updates.dense.begin()->first, name_of(updates.dense.begin()->second.kind())));
  return std::move(updates.lora);
}

std::map<std::string, LayerUpdate> layers_of(const LoraUpdates& updates) {
  std::map<std::string, LayerUpdate> layers;
  for (const auto& [name, layer] : updates.lora.layers) layers[name].thin = layer;
  for (const auto& [name, update] : updates.dense) layers[name].dense = update;
  for (const auto& [name, magnitude] : updates.magnitudes) layers[name].magnitude = magnitude;
  return layers;
}

Result<void> check_fits(const std::string& layer, const LayerUpdate& update, at::IntArrayRef weight_shape) {
  const std::vector<int64_t> shape = update.thin ? update.thin->delta_shape() : update.dense->shape();
  const bool in_form =
      update.thin ? fits(*update.thin, weight_shape)
                  : weight_shape.size() >= 2 && c10::multiply_integers(shape) == c10::multiply_integers(weight_shape) &&
                        shape[0] == weight_shape[0] && (shape.size() == 2 || weight_shape.equals(shape));
  if (!in_form)
    return fail(fmt::format("LoRA layer '{}': an update of shape {} does not fit the base's weight of shape {}", layer,
                            shape_text(shape), shape_text(weight_shape)));
  if (!update.magnitude) return {};
  if (is_of_inputs(*update.magnitude, weight_shape) || update.magnitude->numel() == weight_shape[0]) return {};
  return fail(fmt::format("LoRA layer '{}': its magnitude of shape {} does not fit the base's weight of shape {}",
                          layer, shape_text(update.magnitude->sizes()), shape_text(weight_shape)));
}

Result<at::Tensor> delta_on(const std::string& layer, const LayerUpdate& update, const at::Tensor& weight) {
  if (auto fit = check_fits(layer, update, weight.sizes()); !fit) return tl::unexpected(fit.error());
  const at::Tensor delta = (update.thin ? update.thin->delta() : update.dense->delta()).reshape(weight.sizes());
  if (!update.magnitude) return delta;
  const at::Tensor whole = with_magnitude(weight.to(at::kFloat) + delta, *update.magnitude);
  return (whole - weight.to(at::kDouble)).to(at::kFloat);
}

Result<at::Tensor> delta_on(const LoraUpdates& updates, const std::string& layer, const at::Tensor& weight) {
  const auto layers = layers_of(updates);
  const auto found = layers.find(layer);
  if (found == layers.end()) return fail(fmt::format("LoRA layer '{}' is not in the file", layer));
  return delta_on(layer, found->second, weight);
}

}  // namespace atelier::diffusion
