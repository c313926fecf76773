// The layers all models share: weights as plain values, forward as const functions. They run under whatever grad mode
// the caller has set, in the dtype of their weights, which is the input's.
//
// On the CPU in float32, layers whose weights do not learn have functions of their own (frozen_conv.h, frozen_norm.h,
// projections.h, attention.h), which keep little for the backward pass and read the weights where they lie. Everything
// else (weights that learn, other precisions, other devices) is libtorch's.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/attention.h"
#include "diffusion/frozen_norm.h"
#include "diffusion/weights.h"

namespace atelier::diffusion {

/// Whether layers with these weights go the frozen way for x: float32 on the CPU, nothing learned. Undefined ones (a
/// bias that is not there) are passed over.
bool is_frozen_cpu(const at::Tensor& x, at::TensorList weights);

struct Linear {
  at::Tensor weight;  ///< [out, in]
  at::Tensor bias;    ///< [out], or undefined
  at::Tensor operator()(const at::Tensor& x) const;
};

struct Conv2d {
  at::Tensor weight;  ///< [out, in, k, k]
  at::Tensor bias;    ///< [out]
  int64_t stride = 1;
  int64_t padding = 0;
  at::Tensor operator()(const at::Tensor& x) const;
};

struct GroupNorm {
  at::Tensor weight, bias;  ///< [channels]
  int64_t groups = 32;
  double eps = 1e-5;
  at::Tensor operator()(const at::Tensor& x, After after = After::nothing) const;
};

struct LayerNorm {
  at::Tensor weight, bias;  ///< [channels]
  double eps = 1e-5;
  at::Tensor operator()(const at::Tensor& x) const;
};

/// Sizes of a layer, named because their order is easily swapped.
struct Channels {
  int64_t in;
  int64_t out;
};

struct NormSpec {
  int64_t groups;
  double eps;
};

enum class Bias { yes, no };

/// Each takes NAME.weight and NAME.bias.
Linear take_linear(WeightReader& weights, const std::string& name, Channels channels, Bias bias = Bias::yes);
/// `kernel` 3 is padded by 1 and kernel 1 by 0, unless `padding` says otherwise.
Conv2d take_conv(WeightReader& weights, const std::string& name, Channels channels, int64_t kernel, int64_t stride = 1,
                 std::optional<int64_t> padding = std::nullopt);
GroupNorm take_group_norm(WeightReader& weights, const std::string& name, int64_t channels, NormSpec spec);
LayerNorm take_layer_norm(WeightReader& weights, const std::string& name, int64_t channels, double eps);

/// diffusers' ResnetBlock2D: norm, SiLU, conv; the time embedding added; norm, SiLU, conv; plus the (projected) input.
struct ResnetBlock {
  GroupNorm norm1;
  Conv2d conv1;
  std::optional<Linear> time;  ///< time_emb_proj, in the UNet only
  GroupNorm norm2;
  Conv2d conv2;
  std::optional<Conv2d> shortcut;  ///< conv_shortcut, where in and out channels differ

  /// x [B, in, H, W]; `time_embedding` [B, T], needed exactly where `time` is set; gives [B, out, H, W].
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& time_embedding = {}) const;
};

/// `time_channels` 0: no time embedding.
ResnetBlock take_resnet(WeightReader& weights, const std::string& name, Channels channels, NormSpec norm,
                        int64_t time_channels = 0);

/// Adds those of the tensors that learn to `learning`; undefined ones are passed over.
void add_learning(std::initializer_list<at::Tensor> weights, std::vector<at::Tensor>& learning);

/// Nearest neighbour, twice the height and width.
at::Tensor upsample_nearest_2x(const at::Tensor& x);

}  // namespace atelier::diffusion
