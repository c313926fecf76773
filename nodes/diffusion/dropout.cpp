#include "diffusion/dropout.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <numeric>

namespace atelier::diffusion {
namespace {

/// [size], 1 where a uniform number is over `share`, else 0: what kohya keeps.
at::Tensor kept(const StepUniformSource& uniform, int64_t step, const std::string& purpose, int64_t size,
                double share) {
  std::vector<float> values(static_cast<size_t>(size));
  uniform(step, purpose, values);
  return at::tensor(values).gt(share).to(at::kFloat);
}

}  // namespace

Dropout::Dropout(const DropoutOptions& options, const StepUniformSource& uniform, int64_t step, int64_t batch,
                 const Adapters& adapters, const std::vector<int64_t>& row_tenant) {
  if (!options.any()) return;
  const auto rows = static_cast<int64_t>(row_tenant.size());
  for (const auto& [name, factors] : adapters.layers()) {
    const auto purpose = [&](const char* what) { return fmt::format("{} of {}, batch {}", what, name, batch); };
    const int64_t ranks = factors.a.size(1);
    Layer layer;
    if (options.module > 0)
      layer.module = kept(uniform, step, purpose("module"), adapters.tenants(), options.module).to(factors.a.device());
    if (options.rank > 0)
      layer.rank =
          (kept(uniform, step, purpose("ranks"), rows * ranks, options.rank).view({rows, ranks}) / (1 - options.rank))
              .to(factors.a.device());
    layers_.emplace(name, std::move(layer));
  }
}

Dropout Dropout::rows(int64_t begin, int64_t end) const {
  Dropout part = *this;
  for (auto& [name, layer] : part.layers_)
    if (layer.rank.defined()) layer.rank = layer.rank.slice(0, begin, end);
  return part;
}

Adapters Dropout::on(const Adapters& adapters, std::vector<int64_t>& row_tenant) const {
  if (layers_.empty()) return adapters.for_rows(row_tenant);
  Adapters::LayerMap layers = adapters.layers();
  const bool by_row = layers_.begin()->second.rank.defined();
  const at::Tensor tenant_of = at::tensor(row_tenant, at::kLong).to(layers.begin()->second.a.device());
  for (auto& [name, factors] : layers) {
    const Layer& dropped = layers_.find(name)->second;
    if (dropped.module.defined()) factors.scale = factors.scale * dropped.module;
    if (by_row)
      factors = {.a = factors.a.index_select(0, tenant_of),                              // [N, r, …]
                 .b = factors.b.index_select(0, tenant_of) * dropped.rank.unsqueeze(1),  // [N, out, r]
                 .scale = factors.scale.index_select(0, tenant_of)};                     // [N]
  }
  if (by_row) std::iota(row_tenant.begin(), row_tenant.end(), int64_t{0});
  return Adapters(std::move(layers), row_tenant);
}

}  // namespace atelier::diffusion
