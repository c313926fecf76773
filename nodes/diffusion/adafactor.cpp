#include "diffusion/adafactor.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

namespace atelier::diffusion {
namespace {

/// [K, …] beside the axis of tenants: matrices and convolutions are factored over their last two axes.
bool is_factored(const at::Tensor& parameter) { return parameter.dim() >= 3; }

/// The root of the mean square of each tenant's tensor, [K, 1, …].
at::Tensor root_mean_square(const at::Tensor& tensor) {
  const auto elements = static_cast<double>(tensor.numel() / tensor.size(0));
  std::vector<int64_t> shape(static_cast<size_t>(tensor.dim()), 1);
  shape[0] = tensor.size(0);
  return (tensor.flatten(1).norm(2, 1) / std::sqrt(elements)).view(shape);
}

}  // namespace

Adafactor::Adafactor(std::vector<at::Tensor> parameters, AdafactorOptions options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const at::Tensor& parameter : parameters_) {
    if (!is_factored(parameter)) {
      squares_.push_back({.whole = at::zeros_like(parameter), .rows = {}, .columns = {}});
      continue;
    }
    std::vector<int64_t> rows = parameter.sizes().vec(), columns = rows;  // [K, …, n, m]
    rows.pop_back();
    columns.erase(columns.end() - 2);
    const at::TensorOptions like = parameter.options().requires_grad(false);
    squares_.push_back({.whole = {}, .rows = at::zeros(rows, like), .columns = at::zeros(columns, like)});
  }
}

at::Tensor Adafactor::update_of(const at::Tensor& gradient, Squares& squares, double forgets) const {
  const at::Tensor square = gradient.square() + options_.epsilon;
  if (squares.whole.defined()) {
    squares.whole.mul_(1 - forgets).add_(square, forgets);
    return squares.whole.rsqrt().mul_(gradient);
  }
  squares.rows.mul_(1 - forgets).add_(square.mean(-1), forgets);
  squares.columns.mul_(1 - forgets).add_(square.mean(-2), forgets);
  const at::Tensor rows = (squares.rows / squares.rows.mean(-1, true)).rsqrt_().unsqueeze(-1);  // [K, …, n, 1]
  return at::mul(rows, squares.columns.unsqueeze(-2).rsqrt()).mul_(gradient);                   // [K, …, n, m]
}

void Adafactor::step(std::span<const at::Tensor> gradients, std::span<const double> rates) {
  const at::NoGradGuard no_grad;
  ++steps_;
  const double forgets = std::pow(static_cast<double>(steps_), options_.decay_rate);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!gradients[i].defined()) continue;
    const at::Tensor gradient = gradients[i].to(parameters_[i].scalar_type());
    at::Tensor update = update_of(gradient, squares_[i], forgets);
    update.div_((root_mean_square(update) / options_.clip_threshold).clamp_min_(1.0));
    if (options_.weight_decay != 0) parameters_[i].mul_(1 - rates[i] * options_.weight_decay);
    parameters_[i].sub_(update, rates[i]);
  }
}

std::vector<Optimizer::Memory> Adafactor::memory(size_t i) const {
  const Squares& squares = squares_[i];
  if (squares.whole.defined()) return {{"square", squares.whole}};
  return {{"square_rows", squares.rows}, {"square_columns", squares.columns}};
}

}  // namespace atelier::diffusion
