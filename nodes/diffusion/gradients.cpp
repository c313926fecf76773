#include "diffusion/gradients.h"

#include <algorithm>

namespace atelier::diffusion {
namespace {

constexpr double kClipEpsilon = 1e-6;  // of torch.nn.utils.clip_grad_norm_

/// Those that are defined; they share their values.
std::vector<at::Tensor> defined(const std::vector<at::Tensor>& gradients) {
  std::vector<at::Tensor> found;
  std::ranges::copy_if(gradients, std::back_inserter(found), [](const at::Tensor& each) { return each.defined(); });
  return found;
}

bool all_float32(const std::vector<at::Tensor>& gradients) {
  return std::ranges::all_of(gradients, [](const at::Tensor& each) { return each.scalar_type() == at::kFloat; });
}

}  // namespace

void GradientSum::add(std::vector<at::Tensor> now) {
  if (passes_ > 1)
    for (at::Tensor& gradient : now)
      if (gradient.defined()) gradient = gradient.to(at::kFloat);
  if (sums_.empty()) {
    sums_ = std::move(now);
    return;
  }
  for (size_t i = 0; i < now.size(); ++i) {
    if (!now[i].defined()) continue;
    sums_[i] = sums_[i].defined() ? sums_[i].add_(now[i]) : now[i];
  }
}

at::Tensor gradient_norms(const std::vector<at::Tensor>& gradients, int64_t tenants, at::Device device) {
  const std::vector<at::Tensor> known = defined(gradients);
  if (known.empty()) return at::zeros({tenants}, at::TensorOptions(at::kFloat).device(device));
  if (tenants == 1 && all_float32(known)) return at::stack(at::_foreach_norm(known, 2)).norm(2).view({1});
  std::vector<at::Tensor> norms;
  for (const at::Tensor& gradient : known)
    norms.push_back(at::linalg_vector_norm(gradient.flatten(1), 2, at::IntArrayRef{1}, false, at::kFloat));
  return at::stack(norms).norm(2, 0);
}

void scale_gradients(std::vector<at::Tensor>& gradients, const std::vector<double>& factors) {
  if (std::ranges::all_of(factors, [](double factor) { return factor == 1; })) return;
  const std::vector<at::Tensor> known = defined(gradients);
  if (known.empty()) return;
  if (factors.size() == 1) return at::_foreach_mul_(known, at::Scalar(factors.front()));
  const at::Tensor per_tenant = at::tensor(factors, at::kFloat).to(known.front().device());
  for (const at::Tensor& gradient : known) {
    std::vector<int64_t> shape(static_cast<size_t>(gradient.dim()), 1);
    shape[0] = per_tenant.size(0);
    at::Tensor(gradient).mul_(per_tenant.view(shape));
  }
}

double clip_factor(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + kClipEpsilon)) : 1.0;
}

}  // namespace atelier::diffusion
