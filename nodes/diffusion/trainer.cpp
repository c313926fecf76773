#include "diffusion/trainer.h"

#include <ATen/core/grad_mode.h>

#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "diffusion/gradients.h"
#include "diffusion/pass_threads.h"
#include "diffusion/trainer_impl.h"

namespace atelier::diffusion {
namespace {

Result<void> check_options(const TrainingOptions& options) {
  const auto share = [](const char* name, double value, bool one_too) -> Result<void> {
    if (value >= 0 && (value < 1 || (one_too && value == 1))) return {};
    return fail(
        fmt::format("training: {} is {}, wanted is a number from 0 to {}1", name, value, one_too ? "" : "under "));
  };
  for (const auto& [name, value] : {std::pair{"unmasked_weight", options.unmasked_weight}})
    if (auto fits = share(name, value, true); !fits) return fits;
  for (const auto& [name, value] :
       {std::pair{"ema_decay", options.ema_decay}, std::pair{"rank_dropout", options.dropout.rank},
        std::pair{"module_dropout", options.dropout.module}})
    if (auto fits = share(name, value, false); !fits) return fits;
  if (options.dropout.any() && !options.uniform) return fail("training: dropout needs a source of random numbers");
  return {};
}

std::unique_ptr<Optimizer> make_optimizer(const TrainingOptions& options, std::vector<at::Tensor> parameters) {
  if (options.optimizer == OptimizerKind::adafactor)
    return std::make_unique<Adafactor>(std::move(parameters), options.adafactor);
  return std::make_unique<AdamW>(std::move(parameters), options.adamw);
}

bool computes_in_half(const TrainingBase& base) {
  return base.unet->dtype() == at::kHalf || (base.text && (*base.text)[0].model->options().dtype == at::kHalf);
}

/// What the passes of a step gave.
struct StepGradients {
  std::vector<at::Tensor> of_tensors;  // [K, …], of the mean loss times its scale
  std::vector<double> losses;          // of each tenant
  at::Tensor norms;                    // [K]
};

/// What each row counts in its tenant's mean over rows and batches, [N].
std::vector<float> row_shares(const std::vector<int64_t>& tenant_of, size_t batches) {
  std::vector<float> shares;
  for (const int64_t k : tenant_of)
    shares.push_back(1.0F / static_cast<float>(std::ranges::count(tenant_of, k) * static_cast<int64_t>(batches)));
  return shares;
}

}  // namespace

Trainer::Impl::Impl(TrainingBase training_base, NoiseSchedule noise_schedule, std::unique_ptr<Trainable> mode,
                    TrainingOptions training_options)
    : base(std::move(training_base)),
      schedule(std::move(noise_schedule)),
      options(std::move(training_options)),
      trained(std::move(mode)),
      optimizer(make_optimizer(options, values())),
      watches(static_cast<size_t>(trained->tenants())) {
  if (options.loss_scale || computes_in_half(base)) loss_scale = options.loss_scale.value_or(LossScale());
  if (options.ema_decay > 0) ema.emplace(values(), options.ema_decay);
}

Trainer::Impl::AveragesInPlace::AveragesInPlace(Impl& training) : training_(training) { exchange(); }
Trainer::Impl::AveragesInPlace::~AveragesInPlace() { exchange(); }

void Trainer::Impl::AveragesInPlace::exchange() {
  if (!training_.ema) return;
  training_.ema->exchange(training_.values());
  training_.trained->values_changed();
}

std::vector<at::Tensor> Trainer::Impl::values() const {
  std::vector<at::Tensor> values;
  for (const TrainedTensor& tensor : trained->tensors()) values.push_back(tensor.value);
  return values;
}

std::vector<double> Trainer::Impl::rates() const {
  const double factor = learning_rate_factor(options.rate, step);
  const double text = options.text_rate.value_or(options.rate.peak);
  std::vector<double> rates;
  for (const TrainedTensor& tensor : trained->tensors())
    rates.push_back(factor * (tensor.part == TrainedPart::text ? text : options.rate.peak));
  return rates;
}

namespace {

/// What one pass gave.
struct PassGradients {
  std::vector<at::Tensor> of_leaves;
  at::Tensor losses;  // of its rows
};

/// Adds one batch's passes to the gradients; gives the losses of its rows, [N]. Passes run side by side, each on one
/// thread (pass_threads.h), and are added in their order.
Result<at::Tensor> accumulate(const Trainer::Impl& training, const TrainingBatch& batch, const Dropout& dropout,
                              const at::Tensor& shares, GradientSum& gradients) {
  std::vector<at::Tensor> leaves;
  for (const TrainedTensor& tensor : training.trained->tensors()) leaves.push_back(tensor.leaf);
  const int64_t count = batch.rows(), size = training.options.micro_batch > 0 ? training.options.micro_batch : count;
  const double scale = training.loss_scale ? training.loss_scale->scale : 1.0;
  const auto pass = [&](int64_t i) -> Result<PassGradients> {
    const int64_t begin = i * size, end = std::min(begin + size, count);
    const auto now = training.row_losses(rows_of(batch, begin, end), dropout.rows(begin, end));
    if (!now) return tl::unexpected(now.error());
    const at::Tensor total = (*now * shares.slice(0, begin, end)).sum() * scale;
    return PassGradients{torch::autograd::grad({total}, leaves, {}, {}, false, /*allow_unused=*/true), now->detach()};
  };
  std::vector<at::Tensor> losses;
  const auto done = in_passes((count + size - 1) / size, batch.latents.device(), pass, [&](PassGradients one) {
    gradients.add(std::move(one.of_leaves));
    losses.push_back(std::move(one.losses));
  });
  if (!done) return tl::unexpected(done.error());
  return at::cat(losses);
}

int64_t passes(std::span<const TrainingBatch> batches, int64_t micro_batch) {
  int64_t passes = 0;
  for (const TrainingBatch& batch : batches)
    passes += micro_batch > 0 ? (batch.rows() + micro_batch - 1) / micro_batch : 1;
  return passes;
}

Result<StepGradients> gradients_of(const Trainer::Impl& training, std::span<const TrainingBatch> batches) {
  const at::AutoGradMode with_gradients(true);
  StepGradients step;
  step.losses.resize(static_cast<size_t>(training.tenants()));
  GradientSum sum(passes(batches, training.options.micro_batch));
  std::vector<at::Tensor> losses;
  std::vector<int64_t> tenant_of;
  for (size_t i = 0; i < batches.size(); ++i) {
    const TrainingBatch& batch = batches[i];
    const std::vector<int64_t> tenants = tenant_of_rows(batch, training.tenants());
    const at::Tensor shares = at::tensor(row_shares(tenants, batches.size())).to(batch.latents.device());
    const Dropout dropout(training.options.dropout, training.options.uniform, training.step, static_cast<int64_t>(i),
                          training.trained->adapters(), tenants);
    const auto rows = accumulate(training, batch, dropout, shares, sum);
    if (!rows) return tl::unexpected(rows.error());
    losses.push_back(*rows * shares);
    tenant_of.insert(tenant_of.end(), tenants.begin(), tenants.end());
  }
  const at::Tensor shared = at::cat(losses).to(at::kDouble).cpu();
  for (size_t row = 0; row < tenant_of.size(); ++row)
    step.losses[static_cast<size_t>(tenant_of[row])] += shared.data_ptr<double>()[row];

  const at::NoGradGuard no_grad;
  step.of_tensors = std::move(sum.sums());
  for (size_t i = 0; i < step.of_tensors.size(); ++i)
    if (at::Tensor& gradient = step.of_tensors[i]; gradient.defined())
      gradient = gradient.reshape(training.trained->tensors()[i].value.sizes());
  step.norms = gradient_norms(step.of_tensors, training.tenants(), training.base.unet->device());
  return step;
}

/// ` of tenant 1`, where there is more than one.
std::string whose(const Trainer::Impl& training, size_t k) {
  return training.tenants() > 1 ? fmt::format(" of tenant {}", k) : std::string();
}

Error broken(const Trainer::Impl& training, const std::string& what) {
  return {
      fmt::format("training: {}, at the learning rate {:g}; nothing of this step was applied, and a lower learning "
                  "rate may help",
                  what, learning_rate(training.options.rate, training.step))};
}

/// Whether losses and gradients may be applied; in float16 gradients that overflowed are told by StepResult::skipped.
Result<void> judge(const Trainer::Impl& training, std::vector<StepResult>& results, std::vector<LossWatch>& watches) {
  const bool may_skip = training.loss_scale && !training.loss_scale->exhausted();
  bool overflow = false;
  for (size_t k = 0; k < results.size(); ++k) {
    const StepResult& result = results[k];
    const std::string of = whose(training, k);
    if (!std::isfinite(result.loss))
      return tl::unexpected(broken(training, fmt::format("the loss{} of step {} is not finite", of, training.step)));
    if (!std::isfinite(result.gradient_norm) && !may_skip)
      return tl::unexpected(
          broken(training, fmt::format("the gradient{} of step {} is not finite", of, training.step)));
    overflow = overflow || !std::isfinite(result.gradient_norm);
    if (watches[k].explodes(result.loss))
      return tl::unexpected(
          broken(training,
                 fmt::format("the loss{} explodes: {:.4g} at step {}, the last of {} steps in a row over {} times the "
                             "median of {:.4g}",
                             of, result.loss, training.step, LossWatch::kInARow, LossWatch::kTimesTheMedian,
                             watches[k].median())));
  }
  for (StepResult& result : results) result.skipped = overflow;
  return {};
}

void apply(Trainer::Impl& training, StepGradients& gradients, const std::vector<StepResult>& results) {
  const double scale = training.loss_scale ? training.loss_scale->scale : 1.0;
  std::vector<double> factors;
  for (const StepResult& result : results)
    factors.push_back(clip_factor(result.gradient_norm, training.options.max_gradient_norm) / scale);
  scale_gradients(gradients.of_tensors, factors);
  training.optimizer->step(gradients.of_tensors, training.rates());
  if (training.ema) training.ema->update(training.values(), training.optimizer->steps() - 1);
  training.trained->values_changed();
}

}  // namespace

Trainer::Trainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

Result<Trainer> Trainer::lora(TrainingBase base, NoiseSchedule schedule, const LoraStart& start,
                              TrainingOptions options) {
  if (auto fits = check_options(options); !fits) return tl::unexpected(fits.error());
  auto trained = TrainableLora::create(base, start);
  if (!trained) return tl::unexpected(trained.error());
  const TrainableLora* mode = trained->get();
  auto impl = std::make_unique<Impl>(std::move(base), std::move(schedule), *std::move(trained), std::move(options));
  impl->lora = mode;
  return Trainer(std::move(impl));
}

Result<Trainer> Trainer::textual_inversion(TrainingBase base, NoiseSchedule schedule, const EmbeddingStart& start,
                                           TrainingOptions options) {
  if (auto fits = check_options(options); !fits) return tl::unexpected(fits.error());
  auto trained = TrainableEmbedding::create(base, start);
  if (!trained) return tl::unexpected(trained.error());
  const TrainableEmbedding* mode = trained->get();
  auto impl = std::make_unique<Impl>(std::move(base), std::move(schedule), *std::move(trained), std::move(options));
  impl->embedding = mode;
  return Trainer(std::move(impl));
}

Result<Trainer> Trainer::full(const WeightsStart& start, NoiseSchedule schedule, TrainingOptions options) {
  if (auto fits = check_options(options); !fits) return tl::unexpected(fits.error());
  auto trained = TrainableWeights::create(start);
  if (!trained) return tl::unexpected(trained.error());
  TrainingBase base = (*trained)->base();
  return Trainer(std::make_unique<Impl>(std::move(base), std::move(schedule), *std::move(trained), std::move(options)));
}

Result<std::vector<StepResult>> Trainer::step(std::span<const TrainingBatch> batches) {
  Impl& training = *impl_;
  if (batches.empty()) return fail("training: a step was given no batch");
  for (const TrainingBatch& batch : batches)
    if (auto fits = training.check(batch); !fits) return tl::unexpected(fits.error());
  auto gradients = gradients_of(training, batches);
  if (!gradients) return tl::unexpected(gradients.error());

  const at::NoGradGuard no_grad;
  const double scale = training.loss_scale ? training.loss_scale->scale : 1.0;
  const at::Tensor norms = gradients->norms.to(at::kDouble).cpu();
  std::vector<StepResult> results;
  for (int64_t k = 0; k < tenants(); ++k)
    results.push_back({.loss = gradients->losses[static_cast<size_t>(k)],
                       .gradient_norm = norms.data_ptr<double>()[k] / scale,
                       .rate = learning_rate(training.options.rate, training.step)});
  std::vector<LossWatch> watches = training.watches;
  if (auto good = judge(training, results, watches); !good) return tl::unexpected(good.error());

  training.watches = std::move(watches);
  if (!results.front().skipped) apply(training, *gradients, results);
  if (training.loss_scale) training.loss_scale->update(results.front().skipped);
  ++training.step;
  return results;
}

Result<at::Tensor> Trainer::losses(const TrainingBatch& batch) {
  const at::NoGradGuard no_grad;
  if (auto fits = impl_->check(batch); !fits) return tl::unexpected(fits.error());
  const Impl::AveragesInPlace averages(*impl_);
  return impl_->row_losses(batch, Dropout());
}

void Trainer::as_trained(const std::function<void(const TrainingPass&)>& use, int64_t k) {
  const at::NoGradGuard no_grad;
  const Impl::AveragesInPlace averages(*impl_);
  TrainingPass pass = impl_->trained->pass({k}, Dropout());
  Adapters::LayerMap layers;
  for (const auto& [name, layer] : pass.adapters.layers())
    layers[name] = {.a = layer.a.detach().narrow(0, k, 1),
                    .b = layer.b.detach().narrow(0, k, 1),
                    .scale = layer.scale.narrow(0, k, 1)};
  pass.adapters = Adapters(std::move(layers));
  use(pass);
}

int64_t Trainer::steps() const noexcept { return impl_->step; }
int64_t Trainer::tenants() const noexcept { return impl_->tenants(); }
int64_t Trainer::skipped() const noexcept { return impl_->loss_scale ? impl_->loss_scale->skipped : 0; }

}  // namespace atelier::diffusion
