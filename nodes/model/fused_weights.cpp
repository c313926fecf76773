#include "model/fused_weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "diffusion/lora_fuse.h"
#include "diffusion/model_write.h"
#include "model/loras.h"
#include "model/merge_rule.h"
#include "model/tensors.h"
#include "model/torch_call.h"

namespace atelier {
namespace {

using diffusion::ModelPart;

constexpr const char* kOfBase = "base";

bool is_changed(const Model& model, ModelPart part) {
  return model.changed && model.changed->parts.contains(diffusion::folder_name(part));
}

// A change of a weight that was trained before.
diffusion::WeightChange after(const at::Tensor& trained, diffusion::WeightChange change) {
  return [trained, change = std::move(change)](const at::Tensor&) { return change(trained); };
}

// Summed or merged in float32; whoever writes the weights casts them.
diffusion::FuseOptions options_of(const Model& model) {
  diffusion::FuseOptions options{.dtype = at::kFloat};
  if (model.merge) options.method = merge_method_of(*model.merge);
  return options;
}

}  // namespace

Expected<diffusion::WeightMap> weights_of(const Model& model, const diffusion::BaseModel& base, ModelPart part) {
  auto weights = base.weights(part);
  if (!weights) return passed_on(weights.error());
  if (!is_changed(model, part)) return std::move(*weights);
  for (const auto& [name, value] : model.changed->parts.at(diffusion::folder_name(part))) {
    const auto found = weights->find(name);
    if (found == weights->end() || found->second.sizes() != as_torch(value).sizes())
      return failure(fmt::format("the weight '{}' was trained for another base: this one has no such weight", name));
    found->second = as_torch(value);
  }
  return std::move(*weights);
}

Expected<diffusion::PartWeights> changed_parts(const Model& model, const diffusion::BaseModel& base,
                                               const std::vector<ModelPart>& parts) {
  diffusion::PartWeights changed;
  for (const auto part : parts) {
    if (!is_changed(model, part)) continue;
    auto weights = weights_of(model, base, part);
    if (!weights) return tl::unexpected(weights.error());
    changed[part] = std::move(*weights);
  }
  return changed;
}

Expected<diffusion::ModelChanges> model_changes(const Model& model, const diffusion::BaseModel& base) {
  std::vector<diffusion::LoraUpdates> updates;
  for (const auto& fused : model.loras) updates.push_back({.lora = as_diffusion(fused.lora)});
  const auto options = options_of(model);
  if (model.merge && !options.method)
    return failure(fmt::format("the model's LoRAs are merged by '{}', which is not known", model.merge->method),
                   ErrorKind::fault);
  const auto blocks = blocks_of_loras(model);
  if (!blocks) return tl::unexpected(blocks.error());
  std::vector<diffusion::WeightedUpdates> terms;
  for (std::size_t i = 0; i < updates.size(); ++i) terms.push_back({&updates[i], model.loras[i].weight, (*blocks)[i]});
  diffusion::ModelChanges changes;
  for (const auto part : base.parts()) {
    const auto layers = diffusion::lora_part_of(part);
    const bool adds =
        layers && std::ranges::any_of(updates, [&](const auto& one) { return has_part(one.lora, *layers); });
    if (!adds && !is_changed(model, part)) continue;
    const auto weights = weights_of(model, base, part);
    if (!weights) return tl::unexpected(weights.error());
    diffusion::WeightMap trained;
    if (is_changed(model, part))
      for (const auto& [name, value] : model.changed->parts.at(diffusion::folder_name(part)))
        trained[name] = weights->at(name);
    if (!trained.empty()) changes[part] = diffusion::replaced_by(trained);
    if (!adds) continue;
    auto sums = diffusion::fusion(*weights, *layers, terms, options);
    if (!sums) return passed_on(sums.error());
    for (auto& [name, change] : *sums) {
      const auto before = trained.find(name);
      changes[part][name] = before == trained.end() ? std::move(change) : after(before->second, std::move(change));
    }
  }
  return changes;
}

Model with_trained(Model model, const diffusion::PartWeights& trained) {
  ChangedWeights::Parts changed;
  if (model.changed) changed = std::move(model.changed->parts);
  for (const auto& [part, weights] : trained)
    for (const auto& [name, weight] : weights) changed[diffusion::folder_name(part)][name] = as_tensor(weight);
  model.changed = ChangedWeights::of(std::move(changed));
  return model;
}

ParamSpec dtype_param() {
  return {.name = "dtype",
          .type = ValueType::text,
          .value = kOfBase,
          .summary = "What all weights are written in; base: each as in the base.",
          .choices = {kOfBase, "float16", "bfloat16", "float32"}};
}

void set_dtype(Model& model, const Params& params) {
  if (const auto name = params.text("dtype"); name != kOfBase) model.dtype = name;
}

}  // namespace atelier
