// The tensors of a training's state; of the trainers alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <span>
#include <string>

#include "diffusion/ema.h"
#include "diffusion/error.h"
#include "diffusion/optimizer.h"

namespace atelier::diffusion {

/// What in a state belongs to no tensor of the model.
inline constexpr const char* kOptimizerSteps = "trainer.optimizer_steps";  // [1] int64
inline constexpr const char* kLosses = "trainer.losses";                   // what a LossWatch knows

/// Live views of what tenant `k` has, by the names of a state: each value, and with `.moment1` and the like behind its
/// name what the optimizer remembers of it, with `.average` its average. @param values  one per name, [K, …]
std::map<std::string, at::Tensor> tensors_of_tenant(std::span<const std::string> names,
                                                    std::span<const at::Tensor> values, const Optimizer& optimizer,
                                                    const std::optional<Ema>& ema, int64_t k);

/// A copy on the CPU, recorded nowhere.
at::Tensor copy_on_cpu(const at::Tensor& tensor);

/// Whether `given` has every wanted tensor in its shape. `of` says in the message what lacks it: "state has".
Result<void> has_all(const std::map<std::string, at::Tensor>& given, const std::map<std::string, at::Tensor>& wanted,
                     const char* of);

}  // namespace atelier::diffusion
