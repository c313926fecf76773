#include "diffusion/lora_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "diffusion/layer_tasks.h"
#include "diffusion/lora_svd.h"
#include "diffusion/lora_truncate.h"

namespace atelier::diffusion {
namespace {

/// One LoRA's voice in a layer.
struct Voice {
  const LoraLayer* layer;
  double weight;  // not 0
  size_t lora;    // its place in the list
};

using Voices = std::map<std::string, std::vector<Voice>>;

Result<Voices> voices_of(std::span<const WeightedLora> loras) {
  if (auto valid = check_weights(loras); !valid) return tl::unexpected(valid.error());
  Voices voices;
  for (size_t i = 0; i < loras.size(); ++i) {
    for (const auto& [name, layer] : loras[i].lora->layers) {
      const double weight = loras[i].weight * loras[i].blocks.of(name);
      if (weight == 0) continue;
      if (auto finite = check_finite(name, layer); !finite) return tl::unexpected(finite.error());
      std::vector<Voice>& of_layer = voices[name];
      if (!of_layer.empty())
        if (auto same = check_same_weight(name, *of_layer.front().layer, layer); !same)
          return tl::unexpected(same.error());
      of_layer.push_back({&layer, weight, i});
    }
  }
  return voices;
}

/// The greatest elements by magnitude, all others zero.
at::Tensor trimmed(const at::Tensor& delta, double density) {
  if (density >= 1) return delta;
  const auto kept = std::max<int64_t>(1, static_cast<int64_t>(density * static_cast<double>(delta.numel())));
  const at::Tensor flat = delta.flatten();
  const at::Tensor places = std::get<1>(at::topk(flat.abs(), kept));
  return at::zeros_like(flat).index_copy_(0, places, flat.index_select(0, places)).view_as(delta);
}

at::Tensor merged(const std::string&, std::span<const MergeVoice> voices, const Ties& ties) {
  std::vector<at::Tensor> kept;
  for (const MergeVoice& voice : voices) kept.push_back(trimmed(voice.delta, ties.density));
  at::Tensor total = kept.front().clone();
  for (size_t i = 1; i < kept.size(); ++i) total += kept[i];
  const at::Tensor elected = at::where(total.ge(0), at::ones_like(total), -at::ones_like(total));
  at::Tensor sum = at::zeros_like(total), count = at::zeros_like(total);
  for (size_t i = 0; i < kept.size(); ++i) {
    const at::Tensor agrees = kept[i].sign().eq(elected).to(at::kFloat);  // what was trimmed agrees with no sign
    sum.add_(kept[i] * agrees, voices[i].weight);
    count.add_(agrees);
  }
  return sum / count.clamp_min(1);
}

at::Tensor merged(const std::string& layer, std::span<const MergeVoice> voices, const Dare& dare) {
  at::Tensor sum = at::zeros_like(voices.front().delta);
  std::vector<float> values(static_cast<size_t>(sum.numel()));
  for (const MergeVoice& voice : voices) {
    dare.uniform(layer, voice.lora, values);
    const at::Tensor drawn = at::from_blob(values.data(), sum.sizes(), at::kFloat).to(sum.device());
    sum.add_(voice.delta * drawn.lt(dare.density), voice.weight / dare.density);
  }
  return sum;
}

/// The merged dW of a layer, of the first voice's form.
at::Tensor merged_delta(const std::string& name, const std::vector<Voice>& voices, const MergeMethod& method) {
  const std::vector<int64_t> shape = voices.front().layer->delta_shape();
  std::vector<MergeVoice> deltas;
  for (const Voice& voice : voices) deltas.push_back({voice.layer->delta().view(shape), voice.weight, voice.lora});
  return merged(name, deltas, method);
}

}  // namespace

Result<void> check(const MergeMethod& method) {
  const double density = std::visit([](const auto& of) { return of.density; }, method);
  if (density > 0 && density <= 1) return {};
  return fail(fmt::format("density {} is out of range: give more than 0 and at most 1", density));
}

at::Tensor merged(const std::string& layer, std::span<const MergeVoice> voices, const MergeMethod& method) {
  return std::visit([&](const auto& of) { return merged(layer, voices, of); }, method);
}

Result<LoraReduction> merge(std::span<const WeightedLora> loras, const MergeMethod& method, const RankLimit& limit) {
  if (auto valid = check(limit); !valid) return tl::unexpected(valid.error());
  if (auto valid = check(method); !valid) return tl::unexpected(valid.error());
  const auto voices = voices_of(loras);
  if (!voices) return tl::unexpected(voices.error());
  LoraReduction result;
  for (const WeightedLora& weighted : loras)
    if (!result.lora.base) result.lora.base = weighted.lora->base;
  double squared_norm = 0, squared_error = 0;
  auto reduced_layers = for_each_layer(
      *voices, [&](const auto& item) { return reduce_dense(merged_delta(item.first, item.second, method), limit); });
  auto at = reduced_layers->begin();
  for (const auto& [name, of_layer] : *voices) {
    DenseReduction& reduced = *at++;
    if (!reduced.layer) {
      result.dropped.push_back(name);
      continue;
    }
    squared_norm += reduced.squared_norm;
    squared_error += reduced.squared_error;
    result.layer_relative_error[name] = reduced.relative_error();
    result.lora.layers[name] = *std::move(reduced.layer);
  }
  result.relative_error = ratio_of_squares(squared_error, squared_norm);
  return result;
}

}  // namespace atelier::diffusion
