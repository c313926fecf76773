#include "probe/probe_training.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "diffusion/adamw.h"
#include "diffusion/gradients.h"
#include "diffusion/lr_schedule.h"
#include "probe/augmentation.h"
#include "probe/probe_targets.h"

namespace atelier::probe {
namespace {

constexpr double kIdentityWeight = 0.5;
constexpr double kMaxGradientNorm = 1.0;
constexpr double kWeightDecay = 0.02;

// Which pictures a step sees: each once before any comes again.
class Order {
 public:
  Order(std::int64_t seed, std::int64_t count) : stream_(seed, "probe order", Digest{}), left_(0), all_(count) {
    std::iota(all_.begin(), all_.end(), 0);
  }
  at::Tensor next(std::int64_t batch) {  // [batch] int64
    std::vector<std::int64_t> taken;
    for (std::int64_t i = 0; i < batch; ++i) {
      if (left_ == 0) left_ = all_.size();
      std::swap(all_[stream_.below(left_)], all_[left_ - 1]);
      taken.push_back(all_[--left_]);
    }
    return at::tensor(taken, at::kLong);
  }

 private:
  RandomStream stream_;
  std::size_t left_;
  std::vector<std::int64_t> all_;
};

// The weights of a network as the optimizer and autograd each want them, in the same memory.
struct Leaves {
  std::vector<at::Tensor> for_optimizer;  // [1, …]: it counts one tenant
  std::vector<at::Tensor> for_gradient;

  explicit Leaves(const ProbeNet& net) {
    for (const auto& [name, weight] : net.weights()) {
      for_optimizer.push_back(weight.detach().unsqueeze(0));
      for_gradient.push_back(at::Tensor(weight).requires_grad_(true));
    }
  }
};

std::vector<at::Tensor> clipped_gradients(const at::Tensor& loss, const Leaves& leaves) {
  auto gradients = torch::autograd::grad({loss}, leaves.for_gradient);
  const at::NoGradGuard no_grad;
  for (auto& gradient : gradients) gradient = gradient.unsqueeze(0);
  const double norm = diffusion::gradient_norms(gradients, 1, at::kCPU)[0].item<double>();
  diffusion::scale_gradients(gradients, {diffusion::clip_factor(norm, kMaxGradientNorm)});
  return gradients;
}

}  // namespace

ProbeLosses probe_losses(const Answers& answers, const at::Tensor& values, const at::Tensor& identities) {
  std::vector<at::Tensor> entropies;
  std::int64_t from = 0;
  for (std::size_t a = 0; a < attributes().size(); ++a) {
    const auto count = static_cast<std::int64_t>(attributes()[a].values.size());
    const at::Tensor wanted = values.select(1, static_cast<std::int64_t>(a));  // [N]
    const at::Tensor sum =
        at::cross_entropy_loss(answers.scores.narrow(1, from, count), wanted, {}, at::Reduction::Sum, kUntold);
    entropies.push_back(sum / wanted.ne(kUntold).sum().clamp_min(1));
    from += count;
  }
  return {at::stack(entropies).mean(), at::mse_loss(answers.identities, identities)};
}

diffusion::Result<ProbeNet> train_probe(const RenderedSet& set, const ProbeTraining& training,
                                        const std::function<void(const ProbeStep&)>& told) {
  const ProbeNet net = ProbeNet::random(training.seed);
  const Leaves leaves(net);
  diffusion::AdamW optimizer(leaves.for_optimizer, {.weight_decay = kWeightDecay});
  const diffusion::LrSchedule rates{.curve = diffusion::LrCurve::cosine,
                                    .peak = training.peak_rate,
                                    .warmup_steps = training.steps / 20,
                                    .steps = training.steps};
  Order order(training.seed, set.pictures.size(0));
  const RandomStream draws(training.seed, "probe augmentation", Digest{});
  const at::AutoGradMode with_gradients(true);
  for (std::int64_t step = 0; step < training.steps; ++step) {
    const at::Tensor batch = order.next(std::min(training.batch, set.pictures.size(0)));
    const at::Tensor pictures =
        augmented(set.pictures.index_select(0, batch).to(at::kFloat) / 255, draws.at(static_cast<std::uint64_t>(step)));
    const ProbeLosses losses =
        probe_losses(net.forward(pictures), set.values.index_select(0, batch), set.identities.index_select(0, batch));
    const at::Tensor loss = losses.words + kIdentityWeight * losses.identity;
    const ProbeStep found{step, loss.item<double>(), losses.words.item<double>(), losses.identity.item<double>()};
    if (!std::isfinite(found.loss)) return diffusion::fail(fmt::format("the loss is not finite at step {}", step));
    optimizer.step(clipped_gradients(loss, leaves),
                   std::vector<double>(leaves.for_optimizer.size(), diffusion::learning_rate(rates, step)));
    told(found);
  }
  diffusion::WeightMap weights;
  for (const auto& [name, weight] : net.weights()) weights[name] = weight.detach();
  return ProbeNet::create(weights, "the trained probe");
}

}  // namespace atelier::probe
