#include "diffusion/vae_trainer.h"

#include <ATen/core/grad_mode.h>

#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "diffusion/gradients.h"
#include "diffusion/pass_threads.h"
#include "diffusion/safetensors.h"
#include "diffusion/trainer_tensors.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {
namespace {

/// Whether a weight is trained: the decoder's half always.
bool is_trained(const std::string& name, const VaeTrainingOptions& options) {
  return options.train_encoder || name.starts_with("decoder.") || name.starts_with("post_quant_conv.");
}

}  // namespace

Result<VaeTrainer> VaeTrainer::create(const VaeConfig& config, const WeightMap& weights, at::Device device,
                                      VaeTrainingOptions options) {
  VaeTrainer training;
  training.config_ = config;
  training.options_ = std::move(options);
  for (const auto& [name, stored] : weights) {
    at::Tensor& weight = training.all_[name];
    weight = stored.detach().to(device, at::kFloat, false, /*copy=*/true).contiguous();
    if (!is_trained(name, training.options_)) continue;
    training.names_.push_back(name);
    training.leaves_.push_back(weight.detach().unsqueeze(0));
    training.weights_.push_back(weight.requires_grad_(true));
  }
  WeightReader reader(training.all_, "vae.weights", {device, at::kFloat});
  auto vae = Vae::create(config, reader);
  if (!vae) return tl::unexpected(vae.error());
  training.vae_ = *std::move(vae);
  training.optimizer_ = std::make_unique<AdamW>(training.leaves_, training.options_.adamw);
  if (training.options_.ema_decay > 0) training.ema_.emplace(training.leaves_, training.options_.ema_decay);
  return training;
}

Error VaeTrainer::broken(const std::string& what) const {
  return {
      fmt::format("training: {} at step {}, at the learning rate {:g}; nothing of this step was applied, and a "
                  "lower learning rate may help",
                  what, step_, learning_rate(options_.rate, step_))};
}

/// What one pass gave: losses and gradients, each times the pass's share of the step.
struct VaeTrainer::Pass {
  VaeStep losses;
  std::vector<at::Tensor> gradients;
};

Result<VaeTrainer::Pass> VaeTrainer::pass(const at::Tensor& pictures, const at::Tensor& noise, double share) const {
  const auto posterior = vae_->encode(pictures);
  if (!posterior) return tl::unexpected(posterior.error());
  if (noise.sizes() != posterior->mean.sizes())
    return fail(fmt::format("training: the noises have shape {}, wanted is {}", shape_text(noise.sizes()),
                            shape_text(posterior->mean.sizes())));
  const auto decoded = vae_->decode(posterior->mean + posterior->std() * noise);
  if (!decoded) return tl::unexpected(decoded.error());
  const VaeLosses losses = vae_losses(pictures.to(decoded->device()), *decoded, *posterior, options_.losses);
  const auto part = [&](const at::Tensor& loss) { return share * loss.item<double>(); };
  return Pass{{.loss = part(losses.total),
               .reconstruction = part(losses.reconstruction),
               .gradient = part(losses.gradient),
               .kl = part(losses.kl)},
              torch::autograd::grad({losses.total * share}, weights_, {}, {}, false, /*allow_unused=*/true)};
}

Result<VaeStep> VaeTrainer::step(const at::Tensor& pictures, const at::Tensor& noise) {
  const int64_t count = pictures.size(0), size = options_.micro_batch > 0 ? options_.micro_batch : count;
  const int64_t passes = (count + size - 1) / size;
  GradientSum sum(passes);
  VaeStep result{.rate = learning_rate(options_.rate, step_)};
  {
    const at::AutoGradMode with_gradients(true);
    const auto run = [&](int64_t i) {
      const int64_t begin = i * size, end = std::min(begin + size, count);
      return pass(pictures.slice(0, begin, end), noise.slice(0, begin, end),
                  static_cast<double>(end - begin) / static_cast<double>(count));
    };
    const auto done = in_passes(passes, pictures.device(), run, [&](Pass one) {
      sum.add(std::move(one.gradients));
      result.loss += one.losses.loss;
      result.reconstruction += one.losses.reconstruction;
      result.gradient += one.losses.gradient;
      result.kl += one.losses.kl;
    });
    if (!done) return tl::unexpected(done.error());
  }
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients = std::move(sum.sums());
  for (at::Tensor& gradient : gradients)
    if (gradient.defined()) gradient = gradient.unsqueeze(0);
  result.gradient_norm = gradient_norms(gradients, 1, pictures.device())[0].item<double>();
  if (!std::isfinite(result.loss)) return tl::unexpected(broken("the loss is not finite"));
  if (!std::isfinite(result.gradient_norm)) return tl::unexpected(broken("the gradient is not finite"));
  LossWatch watch = watch_;
  if (watch.explodes(result.loss))
    return tl::unexpected(
        broken(fmt::format("the loss explodes: {:.4g}, the median was {:.4g}", result.loss, watch.median())));
  watch_ = std::move(watch);
  scale_gradients(gradients, {clip_factor(result.gradient_norm, options_.max_gradient_norm)});
  optimizer_->step(gradients, std::vector<double>(leaves_.size(), result.rate));
  if (ema_) ema_->update(leaves_, optimizer_->steps() - 1);
  ++step_;
  return result;
}

WeightMap VaeTrainer::weights() const {
  WeightMap weights;
  for (size_t i = 0; i < names_.size(); ++i)
    weights[names_[i]] = copy_on_cpu((ema_ ? ema_->averages()[i] : leaves_[i])[0]);
  return weights;
}

Result<std::shared_ptr<const Vae>> VaeTrainer::trained() const {
  WeightMap all = all_;
  for (auto& [name, weight] : all) weight = weight.detach();
  for (auto& [name, weight] : weights()) all[name] = weight;
  WeightReader reader(std::move(all), "vae.weights", {weights_.front().device(), at::kFloat});
  return Vae::create(config_, reader);
}

std::map<std::string, at::Tensor> VaeTrainer::live() const {
  return tensors_of_tenant(names_, leaves_, *optimizer_, ema_, 0);
}

TrainerState VaeTrainer::state() const {
  TrainerState state{step_, {}};
  for (const auto& [name, tensor] : live()) state.tensors[name] = copy_on_cpu(tensor);
  state.tensors[kOptimizerSteps] = at::tensor({optimizer_->steps()}, at::kLong);
  state.tensors[kLosses] = watch_.state();
  return state;
}

Result<void> VaeTrainer::restore(const TrainerState& state) {
  auto wanted = live();
  wanted[kOptimizerSteps] = at::zeros({1}, at::kLong);
  wanted[kLosses] = watch_.state();
  if (auto fits = has_all(state.tensors, wanted, "state has"); !fits) return fits;
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : live()) tensor.copy_(state.tensors.at(name));
  optimizer_->set_steps(state.tensors.at(kOptimizerSteps)[0].item<int64_t>());
  watch_.restore(state.tensors.at(kLosses));
  step_ = state.step;
  return {};
}

}  // namespace atelier::diffusion
