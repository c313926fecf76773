#include "diffusion/lora_check.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "diffusion/finite.h"
#include "diffusion/lora_operations.h"
#include "diffusion/lora_updates.h"

namespace atelier::diffusion {
namespace {

namespace fs = std::filesystem;

/// Numbers that are none, tensor by tensor.
void add_not_finite(std::vector<std::string>& faults, const WeightMap& tensors) {
  for (const auto& [key, tensor] : tensors) {
    if (is_finite(tensor)) continue;
    const at::Tensor numbers = tensor.to(at::kFloat);
    const auto nan = numbers.isnan().sum().item<int64_t>();
    const auto infinite = numbers.isinf().sum().item<int64_t>();
    faults.push_back(
        fmt::format("tensor '{}' holds {} NaN and {} infinite numbers out of {}", key, nan, infinite, tensor.numel()));
  }
}

/// Layers that the base does not have, or in another shape.
Result<void> add_misfits(std::vector<std::string>& faults, const LoraUpdates& updates, const BaseModel& base) {
  if (auto same = check_architecture(updates.lora, base.architecture(), "the LoRA"); !same)
    faults.push_back(same.error().message);
  const auto weights = lora_weights(base);
  if (!weights) return tl::unexpected(weights.error());
  for (const auto& [name, update] : layers_of(updates)) {
    const auto fit = weight_of(*weights, name).and_then([&](const at::Tensor& weight) {
      return check_fits(name, update, weight.sizes());
    });
    if (!fit) faults.push_back(fit.error().message);
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> check_lora(const fs::path& path, const BaseModel* base) {
  const auto file = Safetensors::open(path);
  if (!file) return tl::unexpected(file.error());
  auto tensors = file->tensors();
  if (!tensors) return tl::unexpected(tensors.error());
  std::vector<std::string> faults;
  add_not_finite(faults, *tensors);
  const auto config = adapter_config_beside(path);
  const LoraFile lora{*std::move(tensors), file->metadata()};
  const std::vector<Error> in_layers = lora_faults(lora, config ? &*config : nullptr);
  for (const Error& fault : in_layers) faults.push_back(fault.message);
  if (base == nullptr || !in_layers.empty()) return faults;
  const auto updates = lora_updates_of_file(lora, {.adapter_config = config ? &*config : nullptr});
  if (!updates) return tl::unexpected(updates.error());
  if (auto compared = add_misfits(faults, *updates, *base); !compared) return tl::unexpected(compared.error());
  return faults;
}

}  // namespace atelier::diffusion
