#include "training/mask_grid.h"

#include <algorithm>

#include "diffusion/masked_loss.h"
#include "model/tensors.h"

namespace atelier {

Tensor mask_on_grid(const Tensor& mask, std::int64_t height, std::int64_t width) {
  const auto pixels = as_torch(mask).to(at::kFloat).div(255).unsqueeze(0).unsqueeze(0);  // [1, 1, H, W]
  return as_tensor(diffusion::mask_on_grid(pixels, height, width)[0][0]);
}

Tensor least_of(const Tensor& one, const Tensor& other) {
  const auto a = one.values<float>(), b = other.values<float>();
  std::vector<float> least(a.size());
  std::transform(a.begin(), a.end(), b.begin(), least.begin(), [](float x, float y) { return std::min(x, y); });
  return Tensor::of(one.shape(), std::move(least));
}

}  // namespace atelier
