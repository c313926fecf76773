// Adapters: the low-rank updates that one forward pass of a frozen base takes as an argument.
//
// A base model is immutable and shared between trainings; what a tenant adds to it travels beside the batch. Every
// layer's factors carry a leading axis of K tenants, and `row_tenant` says which row of the batch belongs to whom.
// One LoRA on one batch is K = 1, the plain case of the same code.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/lora.h"

namespace atelier::diffusion {

/// One layer's factors for all tenants: y += scale[k] * B[k] A[k] x for the rows of tenant k. Factors are
/// float32; in a forward pass of less they are rounded to the layer's dtype.
struct AdapterLayer {
  at::Tensor a;      ///< [K, r, in]; for a convolution [K, r, in, kh, kw]
  at::Tensor b;      ///< [K, out, r]; for a convolution its 1x1 kernel, without the two ones
  at::Tensor scale;  ///< [K] float32, alpha / r
};

/// The updates of all adapted layers, by diffusers module path (`down_blocks.0.attentions.0.proj_in`). An empty value
/// is the base alone. Copies are cheap: tensors are shared.
class Adapters {
 public:
  using LayerMap = std::map<std::string, AdapterLayer, std::less<>>;

  Adapters() = default;

  /// @param layers      all with the same K
  /// @param row_tenant  the tenant of each row of the batch, in [0, K); may be empty when K = 1
  Adapters(LayerMap layers, std::vector<int64_t> row_tenant = {});

  /// The same factors for another batch.
  Adapters for_rows(std::vector<int64_t> row_tenant) const;

  /// The same factors for a batch with each row `times` times in turn, as the chunks of texts are.
  Adapters rows_repeated(int64_t times) const;

  /// The same on another device.
  Adapters to(at::Device device) const;

  /// The layers whose names begin with `prefix`, and no others.
  Adapters under(std::string_view prefix) const;
  /// Other factors for the same tenants and rows.
  Adapters with_layers(LayerMap layers) const;

  bool empty() const noexcept { return layers_.empty(); }
  /// K; 1 for an empty value.
  int64_t tenants() const noexcept { return tenants_; }
  const LayerMap& layers() const noexcept { return layers_; }

  /// y [N, T, out] plus the update of `layer` for x [N, T, in]; y itself where the layer is not adapted.
  at::Tensor add_linear(std::string_view layer, const at::Tensor& x, at::Tensor y) const;

  /// y [N, out, h', w'] plus the update of a convolution for x [N, in, h, w], at the convolution's own stride and
  /// padding; y itself where the layer is not adapted.
  at::Tensor add_conv2d(std::string_view layer, const at::Tensor& x, at::Tensor y, int64_t stride,
                        int64_t padding) const;

 private:
  const AdapterLayer* find(std::string_view layer) const;
  at::Tensor of_rows(const at::Tensor& per_tenant) const;  // [K, …] -> [N, …], or […] when K = 1

  LayerMap layers_;
  at::Tensor rows_;  // [N] int64, undefined when K = 1
  int64_t tenants_ = 1;
};

/// One LoRA as adapters with K = 1, for the UNet and the text encoders alike: each model finds its own layers.
/// Several LoRAs at once: `adapters_of(weighted_sum(loras))`, which stacks their ranks and is exact.
Adapters adapters_of(const Lora& lora);

/// One LoRA per tenant: K = loras.size(). All must adapt the same layers with the same ranks (the condition under
/// which trainings are fused into one); anything else is an Error that names the layer.
Result<Adapters> adapters_of_tenants(const std::vector<Lora>& loras, std::vector<int64_t> row_tenant);

}  // namespace atelier::diffusion
