#include "diffusion/lora_trainer.h"

#include <ATen/core/grad_mode.h>

#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

constexpr double kClipEpsilon = 1e-6;  // of torch.nn.utils.clip_grad_norm_

/// A parameter with everything that belongs to it in a state.
struct Parameter {
  std::string name;  // `<layer>.lora_A`
  at::Tensor value;  // [K, …]
};

/// A factor for each tenant, [K], shaped so that it multiplies [K, …].
at::Tensor per_tenant(const at::Tensor& factors, const at::Tensor& like) {
  std::vector<int64_t> shape(static_cast<size_t>(like.dim()), 1);
  shape[0] = factors.size(0);
  return factors.view(shape);
}

/// The norm of each tenant's whole gradient, [K]: the norm of the norms, as torch's clip_grad_norm_ computes it.
at::Tensor gradient_norms(const std::vector<at::Tensor>& gradients) {
  std::vector<at::Tensor> norms;
  for (const at::Tensor& gradient : gradients) norms.push_back(gradient.flatten(1).norm(2, 1));
  return at::stack(norms).norm(2, 0);
}

void clip(std::vector<at::Tensor>& gradients, const at::Tensor& norms, double max_norm) {
  const at::Tensor factors = (max_norm / (norms + kClipEpsilon)).clamp_max(1.0);
  for (at::Tensor& gradient : gradients) gradient.mul_(per_tenant(factors, gradient));
}

Error wrong_shape(const char* what, const at::Tensor& given, at::IntArrayRef wanted) {
  return {fmt::format("training: {} have shape {}, wanted is {}", what,
                      given.defined() ? shape_text(given.sizes()) : "none", shape_text(wanted))};
}

bool has_shape(const at::Tensor& tensor, at::IntArrayRef shape) { return tensor.defined() && tensor.sizes() == shape; }

}  // namespace

struct LoraTrainer::Impl {
  Impl(std::shared_ptr<const UNet> unet, NoiseSchedule noise_schedule, Adapters::LayerMap layers,
       std::vector<std::map<std::string, double>> tenant_alphas, TrainingOptions training_options);

  int64_t tenants() const { return static_cast<int64_t>(alphas.size()); }
  Result<void> check(const TrainingBatch& batch) const;
  std::vector<int64_t> rows_of(const TrainingBatch& batch) const;
  at::Tensor row_losses(const TrainingBatch& batch) const;
  at::Tensor accumulate(const TrainingBatch& batch, std::vector<at::Tensor>& gradients) const;
  std::map<std::string, at::Tensor> tensors_of(int64_t tenant) const;

  std::shared_ptr<const UNet> base;
  NoiseSchedule schedule;
  TrainingOptions options;
  std::vector<std::map<std::string, double>> alphas;  // of each tenant's layers
  std::vector<Parameter> parameters;
  Adapters adapters;  // shares the parameters' tensors
  AdamW optimizer;
};

namespace {

std::vector<Parameter> parameters_of(const Adapters::LayerMap& layers) {
  std::vector<Parameter> parameters;
  for (const auto& [name, layer] : layers) {
    parameters.push_back({name + ".lora_A", layer.a});
    parameters.push_back({name + ".lora_B", layer.b});
  }
  return parameters;
}

std::vector<at::Tensor> values_of(const std::vector<Parameter>& parameters) {
  std::vector<at::Tensor> values;
  for (const Parameter& parameter : parameters) values.push_back(parameter.value);
  return values;
}

/// The rows [begin, end) of a batch.
TrainingBatch rows(const TrainingBatch& batch, int64_t begin, int64_t end) {
  const auto slice = [&](const at::Tensor& tensor) { return tensor.defined() ? tensor.slice(0, begin, end) : tensor; };
  TrainingBatch part{slice(batch.latents),
                     slice(batch.noise),
                     slice(batch.timesteps),
                     slice(batch.context),
                     slice(batch.masks),
                     slice(batch.weights),
                     {}};
  if (!batch.row_tenant.empty())
    part.row_tenant.assign(batch.row_tenant.begin() + begin, batch.row_tenant.begin() + end);
  return part;
}

}  // namespace

LoraTrainer::Impl::Impl(std::shared_ptr<const UNet> unet, NoiseSchedule noise_schedule, Adapters::LayerMap layers,
                        std::vector<std::map<std::string, double>> tenant_alphas, TrainingOptions training_options)
    : base(std::move(unet)),
      schedule(std::move(noise_schedule)),
      options(training_options),
      alphas(std::move(tenant_alphas)),
      parameters(parameters_of(layers)),
      adapters(std::move(layers), std::vector<int64_t>{0}),
      optimizer(values_of(parameters), training_options.adamw) {
  for (const Parameter& parameter : parameters) parameter.value.requires_grad_(true);
}

Result<void> LoraTrainer::Impl::check(const TrainingBatch& batch) const {
  if (auto fits = base->check({batch.latents, batch.timesteps, batch.context}); !fits) return fits;
  const int64_t count = batch.latents.size(0), height = batch.latents.size(2), width = batch.latents.size(3);
  if (!has_shape(batch.noise, batch.latents.sizes()))
    return tl::unexpected(wrong_shape("the noises", batch.noise, batch.latents.sizes()));
  if (!has_shape(batch.masks, {count, 1, height, width}))
    return tl::unexpected(wrong_shape("the masks", batch.masks, {count, 1, height, width}));
  if (batch.weights.defined() && !has_shape(batch.weights, {count}))
    return tl::unexpected(wrong_shape("the weights", batch.weights, {count}));

  const std::vector<int64_t> tenant_of = rows_of(batch);
  if (static_cast<int64_t>(tenant_of.size()) != count)
    return fail(fmt::format("training: {} rows are given a tenant, the batch has {}", tenant_of.size(), count));
  for (int64_t k = 0; k < tenants(); ++k)
    if (!std::ranges::count(tenant_of, k)) return fail(fmt::format("training: tenant {} has no row in the batch", k));
  for (const int64_t k : tenant_of)
    if (k < 0 || k >= tenants())
      return fail(fmt::format("training: a row is of tenant {}, there are {}", k, tenants()));
  return {};
}

std::vector<int64_t> LoraTrainer::Impl::rows_of(const TrainingBatch& batch) const {
  if (batch.row_tenant.empty() && tenants() == 1)
    return std::vector<int64_t>(static_cast<size_t>(batch.latents.size(0)), 0);
  return batch.row_tenant;
}

at::Tensor LoraTrainer::Impl::row_losses(const TrainingBatch& batch) const {
  const at::Tensor noisy = schedule.add_noise(batch.latents, batch.noise, batch.timesteps);
  const at::Tensor prediction =
      base->forward({noisy, batch.timesteps, batch.context}, adapters.for_rows(rows_of(batch)));
  const at::Tensor target = schedule.target(batch.latents, batch.noise, batch.timesteps);
  const at::Tensor losses = masked_loss(prediction, target, batch.masks, options.normalize);
  return batch.weights.defined() ? losses * batch.weights : losses;
}

/// The losses of all rows, [N], and in `gradients` those of the sum over tenants of the mean over a tenant's rows.
at::Tensor LoraTrainer::Impl::accumulate(const TrainingBatch& batch, std::vector<at::Tensor>& gradients) const {
  const at::AutoGradMode with_gradients(true);
  const int64_t count = batch.latents.size(0), size = options.micro_batch > 0 ? options.micro_batch : count;
  const std::vector<int64_t> tenant_of = rows_of(batch);
  std::vector<float> shares;  // what a row counts in its tenant's mean
  for (const int64_t k : tenant_of) shares.push_back(1.0F / static_cast<float>(std::ranges::count(tenant_of, k)));
  const at::Tensor row_shares = at::tensor(shares).to(base->device());

  const std::vector<at::Tensor> values = values_of(parameters);
  std::vector<at::Tensor> losses;
  for (int64_t begin = 0; begin < count; begin += size) {
    const int64_t end = std::min(begin + size, count);
    const at::Tensor row_losses_now = row_losses(rows(batch, begin, end));
    const at::Tensor total = (row_losses_now * row_shares.slice(0, begin, end)).sum();
    std::vector<at::Tensor> now = torch::autograd::grad({total}, values);
    if (gradients.empty()) {
      gradients = std::move(now);
    } else {
      for (size_t i = 0; i < now.size(); ++i) gradients[i].add_(now[i]);
    }
    losses.push_back(row_losses_now.detach());
  }
  return at::cat(losses);
}

namespace {

/// Means of the rows' losses, by tenant.
std::vector<double> means(const at::Tensor& losses, const std::vector<int64_t>& tenant_of, int64_t tenants) {
  const at::Tensor values = losses.to(at::kDouble).cpu().contiguous();
  std::vector<double> sums(static_cast<size_t>(tenants), 0.0), counts(static_cast<size_t>(tenants), 0.0);
  for (size_t row = 0; row < tenant_of.size(); ++row) {
    const auto k = static_cast<size_t>(tenant_of[row]);
    sums[k] += values.data_ptr<double>()[row];
    counts[k] += 1;
  }
  for (size_t k = 0; k < sums.size(); ++k) sums[k] /= counts[k];
  return sums;
}

}  // namespace

LoraTrainer::LoraTrainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LoraTrainer::LoraTrainer(LoraTrainer&&) noexcept = default;
LoraTrainer& LoraTrainer::operator=(LoraTrainer&&) noexcept = default;
LoraTrainer::~LoraTrainer() = default;

Result<LoraTrainer> LoraTrainer::create(std::shared_ptr<const UNet> base, NoiseSchedule schedule,
                                        const std::vector<Lora>& initial, TrainingOptions options) {
  std::vector<std::map<std::string, double>> alphas;
  for (const Lora& lora : initial) {
    if (auto fits = base->check(lora); !fits) return tl::unexpected(fits.error());
    std::map<std::string, double>& of_layers = alphas.emplace_back();
    for (const auto& [name, layer] : lora.layers) of_layers[name] = layer.alpha;
  }
  auto stacked = adapters_of_tenants(initial, std::vector<int64_t>{0});
  if (!stacked) return tl::unexpected(stacked.error());
  if (stacked->empty()) return fail("training: the initial LoRA has no layer of the UNet");
  return LoraTrainer(std::make_unique<Impl>(base, std::move(schedule), stacked->to(base->device()).layers(),
                                            std::move(alphas), options));
}

Result<std::vector<StepResult>> LoraTrainer::step(const TrainingBatch& batch) {
  Impl& training = *impl_;
  if (auto fits = training.check(batch); !fits) return tl::unexpected(fits.error());
  std::vector<at::Tensor> gradients;
  const at::Tensor losses = training.accumulate(batch, gradients);

  const at::NoGradGuard no_grad;
  const at::Tensor norms = gradient_norms(gradients);
  const std::vector<double> tenant_losses = means(losses, training.rows_of(batch), tenants());
  std::vector<StepResult> results;
  for (int64_t k = 0; k < tenants(); ++k) {
    const StepResult result{tenant_losses[static_cast<size_t>(k)], norms[k].item<double>()};
    if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm))
      return fail(fmt::format("training: the loss of step {} is not finite; a lower learning rate may help", steps()));
    results.push_back(result);
  }
  if (training.options.max_gradient_norm > 0) clip(gradients, norms, training.options.max_gradient_norm);
  training.optimizer.step(gradients, learning_rate(training.options.rate, steps()));
  return results;
}

Result<at::Tensor> LoraTrainer::losses(const TrainingBatch& batch) const {
  const at::NoGradGuard no_grad;
  if (auto fits = impl_->check(batch); !fits) return tl::unexpected(fits.error());
  return impl_->row_losses(batch);
}

int64_t LoraTrainer::steps() const noexcept { return impl_->optimizer.steps(); }
int64_t LoraTrainer::tenants() const noexcept { return impl_->tenants(); }

Lora LoraTrainer::lora(int64_t k) const {
  const auto copy_of = [k](const at::Tensor& value) {
    return value.detach()[k].to(at::kCPU, value.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
  };
  Lora lora;
  for (const auto& [name, alpha] : impl_->alphas[static_cast<size_t>(k)]) {
    const auto layer = impl_->adapters.layers().find(name);
    if (layer == impl_->adapters.layers().end()) continue;  // a text encoder's, which is not trained
    lora.layers[name] = {.a = copy_of(layer->second.a), .b = copy_of(layer->second.b), .alpha = alpha};
  }
  return lora;
}

/// The slices of tenant `k` that a state holds; writing to them changes the training.
std::map<std::string, at::Tensor> LoraTrainer::Impl::tensors_of(int64_t tenant) const {
  std::map<std::string, at::Tensor> tensors;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].name;
    tensors[name] = parameters[i].value.detach()[tenant];
    tensors[name + ".moment1"] = optimizer.first_moments()[i][tenant];
    tensors[name + ".moment2"] = optimizer.second_moments()[i][tenant];
  }
  return tensors;
}

TrainerState LoraTrainer::state(int64_t k) const {
  TrainerState state{steps(), {}};
  for (const auto& [name, tensor] : impl_->tensors_of(k))
    state.tensors[name] = tensor.to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  return state;
}

Result<void> LoraTrainer::restore(const std::vector<TrainerState>& states) {
  if (static_cast<int64_t>(states.size()) != tenants())
    return fail(fmt::format("training: {} states were given for {} tenants", states.size(), tenants()));
  for (int64_t k = 0; k < tenants(); ++k) {
    const TrainerState& state = states[static_cast<size_t>(k)];
    if (state.step != states[0].step)
      return fail(fmt::format("training: the states are of steps {} and {}", states[0].step, state.step));
    for (const auto& [name, wanted] : impl_->tensors_of(k)) {
      const auto found = state.tensors.find(name);
      if (found == state.tensors.end()) return fail(fmt::format("training: the state has no tensor '{}'", name));
      if (found->second.sizes() != wanted.sizes())
        return fail(fmt::format("training: tensor '{}' of the state has shape {}, wanted is {}", name,
                                shape_text(found->second.sizes()), shape_text(wanted.sizes())));
    }
  }
  const at::NoGradGuard no_grad;
  for (int64_t k = 0; k < tenants(); ++k)
    for (auto& [name, tensor] : impl_->tensors_of(k)) tensor.copy_(states[static_cast<size_t>(k)].tensors.at(name));
  impl_->optimizer.set_steps(states[0].step);
  return {};
}

}  // namespace atelier::diffusion
