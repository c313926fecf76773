#include "cli/lora_report.h"

#include "diffusion/layer_tasks.h"
#include "diffusion/lora_reduce.h"
#include "diffusion/lora_svd.h"
#include "diffusion/lora_truncate.h"

namespace atelier::cli {
namespace {

using diffusion::DenseUpdate;

constexpr double kMostEnergy = 0.9, kAlmostAllEnergy = 0.99;

// Those that are more than rounding.
at::Tensor singular_values(const DenseUpdate& update) {
  const auto layer = update.as_layer();
  if (!layer) return diffusion::dense_singular_values(update.delta());
  const at::Tensor s = diffusion::singular_values(*layer);
  return s.slice(0, 0, diffusion::numerical_rank(s, diffusion::kGramRoundingShare));
}

void add_spectrum(LayerReport& report, const at::Tensor& s) {
  report.singular_values.assign(s.data_ptr<double>(), s.data_ptr<double>() + s.numel());
  report.norm = s.norm().item<double>();
  report.ranks_for_90 = diffusion::kept_rank(s, {.energy = kMostEnergy});
  report.ranks_for_99 = diffusion::kept_rank(s, {.energy = kAlmostAllEnergy});
}

bool is_spatial(const std::vector<std::int64_t>& shape) { return shape.size() == 4 && (shape[2] > 1 || shape[3] > 1); }

LayerReport report_layer(const std::string& name, const diffusion::LayerUpdate& update) {
  LayerReport report{.name = name, .is_dora = update.magnitude.has_value()};
  if (update.thin) {
    report.shape = update.thin->delta_shape();
    report.kind = is_spatial(report.shape) ? "LoCon" : "LoRA";
    report.alpha = update.thin->alpha;
    report.rank = update.thin->rank();
    add_spectrum(report, diffusion::singular_values(*update.thin).contiguous());
  } else {
    report.shape = update.dense->shape();
    report.kind = diffusion::name_of(update.dense->kind());
    add_spectrum(report, singular_values(*update.dense).contiguous());
    report.rank = static_cast<std::int64_t>(report.singular_values.size());
  }
  return report;
}

}  // namespace

std::vector<LayerReport> report_layers(const diffusion::LoraUpdates& updates) {
  return *diffusion::for_each_layer(diffusion::layers_of(updates),
                                    [](const auto& item) { return report_layer(item.first, item.second); });
}

}  // namespace atelier::cli
