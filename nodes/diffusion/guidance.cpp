#include "diffusion/guidance.h"

#include <ATen/ATen.h>

#include <vector>

namespace atelier::diffusion {
namespace {

/// Over all but the first axis, [N, 1, 1, 1].
at::Tensor deviation_of_rows(const at::Tensor& values) {
  std::vector<int64_t> axes;
  for (int64_t axis = 1; axis < values.dim(); ++axis) axes.push_back(axis);
  return at::std(values, axes, /*unbiased=*/true, /*keepdim=*/true);
}

}  // namespace

at::Tensor guide(const at::Tensor& without, const at::Tensor& with, double scale) {
  return without + scale * (with - without);
}

at::Tensor rescale_guidance(const at::Tensor& guided, const at::Tensor& with, double amount) {
  if (amount == 0) return guided;
  const at::Tensor rescaled = guided * (deviation_of_rows(with) / deviation_of_rows(guided));
  return amount * rescaled + (1 - amount) * guided;
}

}  // namespace atelier::diffusion
