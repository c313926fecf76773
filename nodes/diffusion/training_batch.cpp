#include "diffusion/training_batch.h"

#include <fmt/format.h>

#include <algorithm>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

Result<void> has_shape(const char* what, const at::Tensor& tensor, at::IntArrayRef wanted) {
  if (tensor.defined() && tensor.sizes() == wanted) return {};
  return fail(fmt::format("training: {} have shape {}, wanted is {}", what,
                          tensor.defined() ? shape_text(tensor.sizes()) : "none", shape_text(wanted)));
}

Result<void> check_tenants(const std::vector<int64_t>& tenant_of, int64_t rows, int64_t tenants) {
  if (static_cast<int64_t>(tenant_of.size()) != rows)
    return fail(fmt::format("training: {} rows are given a tenant, the batch has {}", tenant_of.size(), rows));
  for (int64_t k = 0; k < tenants; ++k)
    if (!std::ranges::count(tenant_of, k)) return fail(fmt::format("training: tenant {} has no row in the batch", k));
  for (const int64_t k : tenant_of)
    if (k < 0 || k >= tenants) return fail(fmt::format("training: a row is of tenant {}, there are {}", k, tenants));
  return {};
}

}  // namespace

TrainingBatch rows_of(const TrainingBatch& batch, int64_t begin, int64_t end) {
  const auto slice = [&](const at::Tensor& tensor) { return tensor.defined() ? tensor.slice(0, begin, end) : tensor; };
  TrainingBatch part{.latents = slice(batch.latents),
                     .noise = slice(batch.noise),
                     .timesteps = slice(batch.timesteps),
                     .text = {slice(batch.text.context), slice(batch.text.pooled)},
                     .text_ids = {.per_encoder = {}, .join = batch.text_ids.join},
                     .time_ids = slice(batch.time_ids),
                     .masks = slice(batch.masks),
                     .validity = slice(batch.validity),
                     .weights = slice(batch.weights),
                     .row_tenant = {}};
  for (const at::Tensor& ids : batch.text_ids.per_encoder) part.text_ids.per_encoder.push_back(slice(ids));
  if (!batch.row_tenant.empty())
    part.row_tenant.assign(batch.row_tenant.begin() + begin, batch.row_tenant.begin() + end);
  return part;
}

std::vector<int64_t> tenant_of_rows(const TrainingBatch& batch, int64_t tenants) {
  if (batch.row_tenant.empty() && tenants == 1) return std::vector<int64_t>(static_cast<size_t>(batch.rows()), 0);
  return batch.row_tenant;
}

Result<void> check_batch(const TrainingBatch& batch, int64_t tenants) {
  if (!batch.latents.defined() || batch.latents.dim() != 4)
    return fail(fmt::format("training: the latents have shape {}, wanted is [N, 4, h, w]",
                            batch.latents.defined() ? shape_text(batch.latents.sizes()) : "none"));
  const int64_t rows = batch.rows();
  for (const at::Tensor& ids : batch.text_ids.per_encoder)
    if (ids.dim() != 3 || ids.size(0) != rows)
      return fail(fmt::format("training: the text ids have shape {}, wanted is [{}, chunks, tokens]",
                              shape_text(ids.sizes()), rows));
  const std::vector<int64_t> mask_shape{rows, 1, batch.latents.size(2), batch.latents.size(3)};
  if (auto fits = has_shape("the noises", batch.noise, batch.latents.sizes()); !fits) return fits;
  if (auto fits = has_shape("the masks", batch.masks, mask_shape); !fits) return fits;
  if (batch.validity.defined())
    if (auto fits = has_shape("the validity masks", batch.validity, mask_shape); !fits) return fits;
  if (batch.weights.defined())
    if (auto fits = has_shape("the weights", batch.weights, {rows}); !fits) return fits;
  return check_tenants(tenant_of_rows(batch, tenants), rows, tenants);
}

}  // namespace atelier::diffusion
