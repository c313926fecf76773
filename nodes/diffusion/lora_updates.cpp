#include "diffusion/lora_updates.h"

#include <fmt/format.h>

#include <limits>

namespace atelier::diffusion {
namespace {

std::string_view name_of(DenseKind kind) { return kind == DenseKind::loha ? "LoHa" : "LoKr"; }

/// As LyCORIS adds to a norm before it divides by it; peft adds nothing, which differs by one rounding.
constexpr double kEpsilon = std::numeric_limits<float>::epsilon();

/// magnitude * W / ||W||.
Result<at::Tensor> with_magnitude(const std::string& layer, const at::Tensor& weight, const at::Tensor& magnitude) {
  const bool of_inputs = magnitude.dim() > 1 && magnitude.size(0) == 1 && magnitude.numel() == weight.size(1);
  const bool of_outputs = magnitude.numel() == weight.size(0);
  if (!of_inputs && !of_outputs)
    return fail(fmt::format("LoRA layer '{}': its magnitude of shape {} does not fit the base's weight of shape {}",
                            layer, shape_text(magnitude.sizes()), shape_text(weight.sizes())));
  const int64_t kept = of_inputs ? 1 : 0;
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
                    updates.dense.begin()->first, name_of(updates.dense.begin()->second.kind)));
  return std::move(updates.lora);
}

Result<at::Tensor> delta_on(const LoraUpdates& updates, const std::string& layer, const at::Tensor& weight) {
  const auto thin = updates.lora.layers.find(layer);
  const auto dense = updates.dense.find(layer);
  if (thin == updates.lora.layers.end() && dense == updates.dense.end())
    return fail(fmt::format("LoRA layer '{}' is not in the file", layer));
  const bool is_thin = thin != updates.lora.layers.end();
  const std::vector<int64_t> shape = is_thin ? thin->second.delta_shape() : dense->second.delta.sizes().vec();
  const bool in_form = is_thin ? fits(thin->second, weight.sizes())
                               : weight.dim() >= 2 && dense->second.delta.numel() == weight.numel() &&
                                     shape[0] == weight.size(0) && (shape.size() == 2 || weight.sizes().equals(shape));
  if (!in_form)
    return fail(fmt::format("LoRA layer '{}': an update of shape {} does not fit the base's weight of shape {}", layer,
                            shape_text(shape), shape_text(weight.sizes())));
  const at::Tensor delta = (is_thin ? thin->second.delta() : dense->second.delta).reshape(weight.sizes());
  const auto magnitude = updates.magnitudes.find(layer);
  if (magnitude == updates.magnitudes.end()) return delta;
  auto whole = with_magnitude(layer, weight.to(at::kFloat) + delta, magnitude->second);
  if (!whole) return whole;
  return (*whole - weight.to(at::kDouble)).to(at::kFloat);
}

}  // namespace atelier::diffusion
