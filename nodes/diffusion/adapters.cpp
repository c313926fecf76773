#include "diffusion/adapters.h"

#include <fmt/format.h>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

at::Tensor rows_on(const std::vector<int64_t>& row_tenant, at::Device device) {
  return at::tensor(row_tenant, at::kLong).to(device);
}

}  // namespace

Adapters::Adapters(LayerMap layers, std::vector<int64_t> row_tenant) : layers_(std::move(layers)) {
  if (layers_.empty()) return;
  const at::Tensor& any = layers_.begin()->second.a;
  tenants_ = any.size(0);
  if (tenants_ > 1) rows_ = rows_on(row_tenant, any.device());
}

Adapters Adapters::for_rows(std::vector<int64_t> row_tenant) const { return {layers_, std::move(row_tenant)}; }

Adapters Adapters::rows_repeated(int64_t times) const {
  Adapters more = *this;
  if (rows_.defined()) more.rows_ = rows_.repeat_interleave(times);
  return more;
}

Adapters Adapters::to(at::Device device) const {
  Adapters moved = *this;
  for (auto& [name, layer] : moved.layers_)
    layer = {.a = layer.a.to(device), .b = layer.b.to(device), .scale = layer.scale.to(device)};
  if (moved.rows_.defined()) moved.rows_ = moved.rows_.to(device);
  return moved;
}

Adapters Adapters::under(std::string_view prefix) const {
  LayerMap layers;
  for (auto at = layers_.lower_bound(prefix); at != layers_.end() && at->first.starts_with(prefix); ++at)
    layers.insert(*at);
  return with_layers(std::move(layers));
}

Adapters Adapters::with_layers(LayerMap layers) const {
  Adapters other = *this;
  other.layers_ = std::move(layers);
  return other;
}

const AdapterLayer* Adapters::find(std::string_view layer) const {
  const auto found = layers_.find(layer);
  return found == layers_.end() ? nullptr : &found->second;
}

at::Tensor Adapters::of_rows(const at::Tensor& per_tenant) const {
  return tenants_ == 1 ? per_tenant.squeeze(0) : per_tenant.index_select(0, rows_);
}

at::Tensor Adapters::add_linear(std::string_view layer, const at::Tensor& x, at::Tensor y) const {
  const AdapterLayer* adapter = find(layer);
  if (!adapter) return y;
  const auto in_dtype = [&](const at::Tensor& tensor) { return of_rows(tensor).to(x.scalar_type()); };
  const at::Tensor a = in_dtype(adapter->a.flatten(2));                // [r, in] or [N, r, in]
  const at::Tensor b = in_dtype(adapter->b);                           // [out, r] or [N, out, r]
  const at::Tensor scale = in_dtype(adapter->scale.view({-1, 1, 1}));  // [1, 1] or [N, 1, 1]
  const at::Tensor low = at::matmul(x, a.transpose(-1, -2)) * scale;   // [N, T, r]
  return y + at::matmul(low, b.transpose(-1, -2));
}

at::Tensor Adapters::add_conv2d(std::string_view layer, const at::Tensor& x, at::Tensor y, int64_t stride,
                                int64_t padding) const {
  const AdapterLayer* adapter = find(layer);
  if (!adapter) return y;
  const auto in_dtype = [&](const at::Tensor& tensor) { return of_rows(tensor).to(x.scalar_type()); };
  const int64_t rows = x.size(0), rank = adapter->a.size(1);
  // A kernel for each row: the rows become groups of one grouped convolution, one group when K = 1.
  const int64_t groups = tenants_ == 1 ? 1 : rows;
  const int64_t side = adapter->a.dim() == 3 ? 1 : adapter->a.size(3);  // a linear layer is a 1x1 convolution
  const at::Tensor kernels = in_dtype(adapter->a).reshape({groups * rank, x.size(1), side, -1});
  const at::Tensor input = groups == 1 ? x : x.reshape({1, rows * x.size(1), x.size(2), x.size(3)});
  const at::Tensor low = at::conv2d(input, kernels, {}, stride, padding, 1, groups).reshape({rows, rank, -1});
  const at::Tensor scale = in_dtype(adapter->scale.view({-1, 1, 1}));
  return y + at::matmul(in_dtype(adapter->b), low * scale).view(y.sizes());  // [N, out, h' w']
}

Adapters adapters_of(const Lora& lora) {
  Adapters::LayerMap layers;
  for (const auto& [name, layer] : lora.layers)
    layers[name] = {.a = layer.a.unsqueeze(0),
                    .b = layer.b.flatten(1).unsqueeze(0),
                    .scale = at::full({1}, layer.scale(), at::kFloat)};
  return Adapters(std::move(layers));
}

namespace {

/// The layer's factors of all tenants, or what keeps them from being stacked.
Result<AdapterLayer> stack_tenants(const std::string& name, const std::vector<Lora>& loras) {
  std::vector<at::Tensor> downs, ups;
  std::vector<float> scales;
  for (const Lora& lora : loras) {
    const auto found = lora.layers.find(name);
    if (found == lora.layers.end())
      return fail(fmt::format("LoRA layer '{}': not every LoRA of the batch adapts it", name));
    const LoraLayer& layer = found->second;
    if (!downs.empty() && (layer.a.sizes() != downs[0].sizes() || layer.b.size(0) != ups[0].size(0)))
      return fail(fmt::format("LoRA layer '{}': A is {} in one LoRA of the batch and {} in another", name,
                              shape_text(downs[0].sizes()), shape_text(layer.a.sizes())));
    downs.push_back(layer.a);
    ups.push_back(layer.b.flatten(1));
    scales.push_back(static_cast<float>(layer.scale()));
  }
  return AdapterLayer{.a = at::stack(downs), .b = at::stack(ups), .scale = at::tensor(scales)};
}

}  // namespace

Result<Adapters> adapters_of_tenants(const std::vector<Lora>& loras, std::vector<int64_t> row_tenant) {
  std::map<std::string, bool> names;
  for (const Lora& lora : loras)
    for (const auto& [name, layer] : lora.layers) names[name] = true;
  Adapters::LayerMap layers;
  for (const auto& [name, used] : names) {
    auto layer = stack_tenants(name, loras);
    if (!layer) return tl::unexpected(layer.error());
    layers[name] = *std::move(layer);
  }
  return Adapters(std::move(layers), std::move(row_tenant));
}

}  // namespace atelier::diffusion
