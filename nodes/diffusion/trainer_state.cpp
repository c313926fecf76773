// A training as tensors with names, and back.
#include <ATen/core/grad_mode.h>

#include <fmt/format.h>

#include "diffusion/trainer_impl.h"
#include "diffusion/trainer_tensors.h"

namespace atelier::diffusion {
namespace {

constexpr const char* kLossScale = "trainer.loss_scale";  // [3] float64: scale, good steps, skipped

}  // namespace

std::map<std::string, at::Tensor> Trainer::Impl::tensors_of(int64_t k) const {
  std::vector<std::string> names;
  for (const TrainedTensor& tensor : trained->tensors()) names.push_back(tensor.name);
  return tensors_of_tenant(names, values(), *optimizer, ema, k);
}

std::map<std::string, at::Tensor> Trainer::Impl::counts_of(int64_t k) const {
  std::map<std::string, at::Tensor> counts;
  counts[kOptimizerSteps] = at::tensor({optimizer->steps()}, at::kLong);
  counts[kLosses] = watches[static_cast<size_t>(k)].state();
  if (loss_scale)
    counts[kLossScale] = at::tensor(
        {loss_scale->scale, static_cast<double>(loss_scale->good_steps), static_cast<double>(loss_scale->skipped)},
        at::kDouble);
  return counts;
}

void Trainer::Impl::restore_counts(const TrainerState& state, int64_t k) {
  optimizer->set_steps(state.tensors.at(kOptimizerSteps)[0].item<int64_t>());
  watches[static_cast<size_t>(k)].restore(state.tensors.at(kLosses));
  if (!loss_scale) return;
  const at::Tensor& scale = state.tensors.at(kLossScale);
  loss_scale = LossScale{scale[0].item<double>(), static_cast<int64_t>(scale[1].item<double>()),
                         static_cast<int64_t>(scale[2].item<double>())};
}

TrainedValues Trainer::values(int64_t k) const {
  TrainedValues values;
  const std::vector<TrainedTensor>& of_mode = impl_->trained->tensors();
  for (size_t i = 0; i < of_mode.size(); ++i)
    values[of_mode[i].name] = copy_on_cpu((impl_->ema ? impl_->ema->averages()[i] : of_mode[i].value)[k]);
  return values;
}

Result<void> Trainer::set_values(const TrainedValues& values, int64_t k) {
  std::map<std::string, at::Tensor> wanted;
  for (const TrainedTensor& tensor : impl_->trained->tensors()) wanted[tensor.name] = tensor.value[k];
  if (auto fits = has_all(values, wanted, "values have"); !fits) return fits;
  const at::NoGradGuard no_grad;
  const std::vector<TrainedTensor>& of_mode = impl_->trained->tensors();
  for (size_t i = 0; i < of_mode.size(); ++i) {
    const at::Tensor& value = values.at(of_mode[i].name);
    of_mode[i].value[k].copy_(value);
    if (impl_->ema) impl_->ema->averages()[i][k].copy_(value);
  }
  impl_->trained->values_changed();
  return {};
}

Lora Trainer::lora(int64_t k) const { return impl_->lora ? impl_->lora->lora_of(values(k), k) : Lora{}; }

std::vector<at::Tensor> Trainer::embedding() const {
  return impl_->embedding ? impl_->embedding->rows_of(values()) : std::vector<at::Tensor>();
}

WeightMap Trainer::weights(std::string_view part) const {
  const std::string prefix = std::string(part) + ".";
  WeightMap weights;
  const std::vector<TrainedTensor>& of_mode = impl_->trained->tensors();
  for (size_t i = 0; i < of_mode.size(); ++i)
    if (of_mode[i].name.starts_with(prefix))
      weights[of_mode[i].name.substr(prefix.size())] =
          copy_on_cpu((impl_->ema ? impl_->ema->averages()[i] : of_mode[i].value)[0]);
  return weights;
}

TrainerState Trainer::state(int64_t k) const {
  TrainerState state{steps(), impl_->counts_of(k)};
  for (const auto& [name, tensor] : impl_->tensors_of(k)) state.tensors[name] = copy_on_cpu(tensor);
  return state;
}

Result<void> Trainer::restore(const std::vector<TrainerState>& states) {
  if (static_cast<int64_t>(states.size()) != tenants())
    return fail(fmt::format("training: {} states were given for {} tenants", states.size(), tenants()));
  for (int64_t k = 0; k < tenants(); ++k) {
    const TrainerState& state = states[static_cast<size_t>(k)];
    if (state.step != states[0].step)
      return fail(fmt::format("training: the states are of steps {} and {}", states[0].step, state.step));
    if (auto fits = has_all(state.tensors, impl_->tensors_of(k), "state has"); !fits) return fits;
    if (auto fits = has_all(state.tensors, impl_->counts_of(k), "state has"); !fits) return fits;
  }
  const at::NoGradGuard no_grad;
  for (int64_t k = 0; k < tenants(); ++k) {
    const TrainerState& state = states[static_cast<size_t>(k)];
    for (auto& [name, tensor] : impl_->tensors_of(k)) tensor.copy_(state.tensors.at(name));
    impl_->restore_counts(state, k);
  }
  impl_->step = states[0].step;
  impl_->trained->values_changed();
  return {};
}

}  // namespace atelier::diffusion
