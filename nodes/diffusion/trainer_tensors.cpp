#include "diffusion/trainer_tensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {

std::map<std::string, at::Tensor> tensors_of_tenant(std::span<const std::string> names,
                                                    std::span<const at::Tensor> values, const Optimizer& optimizer,
                                                    const std::optional<Ema>& ema, int64_t k) {
  std::map<std::string, at::Tensor> tensors;
  for (size_t i = 0; i < names.size(); ++i) {
    tensors[names[i]] = values[i][k];
    for (const auto& [what, memory] : optimizer.memory(i)) tensors[fmt::format("{}.{}", names[i], what)] = memory[k];
    if (ema) tensors[names[i] + ".average"] = ema->averages()[i][k];
  }
  return tensors;
}

at::Tensor copy_on_cpu(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU, tensor.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
}

Result<void> has_all(const std::map<std::string, at::Tensor>& given, const std::map<std::string, at::Tensor>& wanted,
                     const char* of) {
  for (const auto& [name, tensor] : wanted) {
    const auto found = given.find(name);
    if (found == given.end()) return fail(fmt::format("training: the {} no tensor '{}'", of, name));
    if (found->second.sizes() != tensor.sizes())
      return fail(fmt::format("training: tensor '{}' has shape {}, wanted is {}", name,
                              shape_text(found->second.sizes()), shape_text(tensor.sizes())));
  }
  return {};
}

}  // namespace atelier::diffusion
