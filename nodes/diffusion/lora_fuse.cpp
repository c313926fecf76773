#include "diffusion/lora_fuse.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <memory>

#include "diffusion/finite.h"
#include "diffusion/layer_tasks.h"

namespace atelier::diffusion {
namespace {

constexpr std::string_view kTextModel = "text_model.";

/// What one LoRA adds to a weight.
struct Term {
  LayerUpdate update;
  double factor;  // not 0
  size_t lora;    // its place in the list
};

/// All that is added to one weight.
struct Fusion {
  std::string layer;
  std::vector<Term> terms;
  std::shared_ptr<const FuseOptions> options;
};

/// W += factor * alpha / r * B A, without dW in between.
void add_product(at::Tensor& sum, const LoraLayer& layer, double factor) {
  at::Tensor matrix = sum.flatten(1);  // a view
  matrix.addmm_(layer.b.flatten(1).to(at::kFloat), layer.a.flatten(1).to(at::kFloat), 1, factor * layer.scale());
}

Result<at::Tensor> sum_of(const Fusion& fusion, const at::Tensor& stored) {
  at::Tensor sum =
      stored.to(at::TensorOptions(at::kFloat), /*non_blocking=*/false, /*copy=*/true, at::MemoryFormat::Contiguous);
  for (const Term& term : fusion.terms) {
    if (term.update.is_plain()) {
      add_product(sum, *term.update.thin, term.factor);
      continue;
    }
    const auto delta = delta_on(fusion.layer, term.update, stored);
    if (!delta) return delta;
    sum.add_(*delta, term.factor);
  }
  return sum;
}

Result<at::Tensor> merge_of(const Fusion& fusion, const at::Tensor& stored) {
  std::vector<MergeVoice> voices;
  for (const Term& term : fusion.terms) {
    auto delta = delta_on(fusion.layer, term.update, stored);
    if (!delta) return delta;
    voices.push_back({*std::move(delta), term.factor, term.lora});
  }
  return stored.to(at::kFloat) + merged(fusion.layer, voices, *fusion.options->method);
}

Result<at::Tensor> fused(const Fusion& fusion, const at::Tensor& stored) {
  auto sum = fusion.options->method ? merge_of(fusion, stored) : sum_of(fusion, stored);
  if (!sum) return sum;
  return sum->to(fusion.options->dtype.value_or(stored.scalar_type()));
}

Result<at::Tensor> changed_weight(const std::string& name, const WeightChange& change, const at::Tensor& stored) {
  auto weight = change(stored);
  if (!weight || is_finite(*weight)) return weight;
  return fail(fmt::format("weight '{}' {}", name, not_finite_in(weight->scalar_type())));
}

/// The weight that the layer of that name adds to. An Error where the base does not have it, or has another shape.
Result<WeightMap::const_iterator> weight_for(const WeightMap& base, const std::string& name,
                                             const LayerUpdate& update) {
  const auto weight = find_weight(base, name);
  if (weight == base.end()) return fail(fmt::format("LoRA layer '{}': the base model has no such layer", name));
  if (update.is_plain() && !fits(*update.thin, weight->second.sizes()))
    return fail(fmt::format("LoRA layer '{}': changes a weight of shape {}, the base model's is {}", name,
                            shape_text(update.thin->delta_shape()), shape_text(weight->second.sizes())));
  if (auto fit = check_fits(name, update, weight->second.sizes()); !fit) return tl::unexpected(fit.error());
  return weight;
}

}  // namespace

// Transformers 5 saves text encoders without `text_model.`.
WeightMap::const_iterator find_weight(const WeightMap& weights, const std::string& layer) {
  const std::string name = std::string(path_in_part(layer)) + ".weight";
  const auto found = weights.find(name);
  if (found != weights.end() || part_of(layer) == LoraPart::unet || !name.starts_with(kTextModel)) return found;
  return weights.find(name.substr(kTextModel.size()));
}

std::optional<LoraPart> lora_part_of(ModelPart part) {
  switch (part) {
    case ModelPart::unet:
      return LoraPart::unet;
    case ModelPart::text_encoder:
      return LoraPart::text_encoder;
    case ModelPart::text_encoder_2:
      return LoraPart::text_encoder_2;
    case ModelPart::vae:
      break;
  }
  return std::nullopt;
}

Result<WeightChanges> fusion(const WeightMap& base, LoraPart part, std::span<const WeightedUpdates> loras,
                             const FuseOptions& options) {
  if (options.method)
    if (auto valid = check(*options.method); !valid) return tl::unexpected(valid.error());
  if (auto valid = check_weights(loras); !valid) return tl::unexpected(valid.error());
  const auto shared_options = std::make_shared<const FuseOptions>(options);
  std::map<std::string, Fusion> fusions;  // by the weight's name
  for (size_t i = 0; i < loras.size(); ++i) {
    for (const auto& [layer, update] : layers_of(*loras[i].updates)) {
      if (part_of(layer) != part) continue;
      const auto weight = weight_for(base, layer, update);
      if (!weight) return tl::unexpected(weight.error());
      const double factor = loras[i].weight * loras[i].blocks.of(layer);
      if (factor == 0) continue;
      Fusion& of_weight = fusions.try_emplace((*weight)->first, Fusion{layer, {}, shared_options}).first->second;
      of_weight.terms.push_back({update, factor, i});
    }
  }
  WeightChanges changes;
  for (auto& [name, one] : fusions) {
    auto shared = std::make_shared<const Fusion>(std::move(one));
    changes[name] = [shared](const at::Tensor& stored) { return fused(*shared, stored); };
  }
  return changes;
}

Result<WeightMap> with_changes(const WeightMap& weights, const WeightChanges& changes) {
  for (const auto& [name, change] : changes)
    if (!weights.contains(name)) return fail(fmt::format("has no weight '{}' to change", name));
  WeightMap changed = weights;
  const auto made = for_each_layer(changes, [&](const auto& item) -> Result<bool> {
    auto weight = changed_weight(item.first, item.second, weights.at(item.first));
    if (!weight) return tl::unexpected(weight.error());
    changed.find(item.first)->second = *std::move(weight);
    return true;
  });
  if (!made) return tl::unexpected(made.error());
  return changed;
}

Result<WeightMap> fuse(const WeightMap& base, LoraPart part, std::span<const WeightedLora> loras,
                       const FuseOptions& options) {
  std::vector<LoraUpdates> updates;
  for (const WeightedLora& lora : loras) updates.push_back({.lora = *lora.lora});
  std::vector<WeightedUpdates> terms;
  for (size_t i = 0; i < loras.size(); ++i) terms.push_back({&updates[i], loras[i].weight, loras[i].blocks});
  const auto changes = fusion(base, part, terms, options);
  if (!changes) return tl::unexpected(changes.error());
  return with_changes(base, *changes);
}

}  // namespace atelier::diffusion
