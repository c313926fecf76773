#include "diffusion/frozen_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "diffusion/panel_kernels.h"
#include "diffusion/recorded.h"
#include "diffusion/task_threads.h"

namespace atelier::diffusion {
namespace {

struct Norm {
  int64_t groups;
  at::Tensor weight, bias;
  double eps;
  After after;

  /// Calls f(group, offset of its first number) for every group of every picture of x.
  template <class F>
  void for_groups(const at::Tensor& x, F f) const {
    const int64_t channels = x.size(1) / groups, pixels = x.numel() / (x.size(0) * x.size(1));
    const float *weights = weight.data_ptr<float>(), *biases = bias.data_ptr<float>();
    for_each_task(x.size(0) * groups, [&](int64_t i) {
      const int64_t channel = i % groups * channels;
      f(NormGroup{channels, pixels, weights + channel, biases + channel, eps, after == After::silu},
        i * channels * pixels);
    });
  }
};

}  // namespace

at::Tensor frozen_group_norm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                             double eps, After after) {
  const Norm norm{groups, weight, bias, eps, after};
  const at::Tensor input = x.detach().contiguous();
  Tensors outputs;
  {
    const at::NoGradGuard no_grad;
    at::Tensor y = at::empty(input.sizes(), input.options());
    const float* from = input.data_ptr<float>();
    float* to = y.data_ptr<float>();
    norm.for_groups(input,
                    [&](const NormGroup& group, int64_t at) { panel_kernels().norm(group, from + at, to + at); });
    outputs = {y};
  }
  if (wants_gradient({x}))
    record("FrozenGroupNorm", {x}, outputs, [norm, input](Tensors gradients) -> Tensors {
      if (!gradients[0].defined()) return {at::Tensor()};
      const at::Tensor given = gradients[0].contiguous();
      at::Tensor x_gradient = at::empty(input.sizes(), input.options());
      const float *from = input.data_ptr<float>(), *y_gradient = given.data_ptr<float>();
      float* to = x_gradient.data_ptr<float>();
      norm.for_groups(input, [&](const NormGroup& group, int64_t at) {
        panel_kernels().norm_backward(group, from + at, y_gradient + at, to + at);
      });
      return {x_gradient};
    });
  return outputs[0];
}

}  // namespace atelier::diffusion
