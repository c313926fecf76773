#include "diffusion/lora_operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "diffusion/lora_fuse.h"
#include "diffusion/lora_targets.h"

namespace atelier::diffusion {
namespace {

constexpr double kToldError = 0.05;  // relative; a reduction that loses more than this is told

/// An Error where both LoRAs say what they are for and it is not the same architecture.
Result<void> check_same_architecture(const Lora& first, const Lora& second) {
  if (!first.base || !second.base || first.base->architecture == second.base->architecture) return {};
  return fail(fmt::format("the LoRAs are for two kinds of base, {} and {}", architecture_name(first.base->architecture),
                          architecture_name(second.base->architecture)));
}

std::string limit_text(const RankLimit& limit) {
  if (!limit.energy) return fmt::format("rank {}", limit.rank.value_or(0));
  return limit.rank ? fmt::format("rank {} and energy {}", *limit.rank, *limit.energy)
                    : fmt::format("energy {}", *limit.energy);
}

/// "LAYERS layers are …, the first is X"; nothing where none is.
void tell_layers(std::vector<std::string>& notes, const std::vector<std::string>& layers, const std::string& what) {
  if (layers.empty()) return;
  notes.push_back(fmt::format("{} {} {}, the first is {}", layers.size(), layers.size() == 1 ? "layer" : "layers", what,
                              layers.front()));
}

void tell_error(std::vector<std::string>& notes, double error, const RankLimit& limit, std::string_view what) {
  if (error <= kToldError || limit.error) return;  // an error that was asked for is known
  notes.push_back(fmt::format("at {} the {} is {:.1f} % off; a higher {} keeps more of it", limit_text(limit), what,
                              100 * error, limit.rank ? "rank" : "energy"));
}

/// The result at the limit, where there is one, with what that costs.
Result<LoraResult> limited(LoraResult result, const std::optional<RankLimit>& limit, std::string_view what) {
  if (!limit) return result;
  auto reduction = reduce(result.lora, *limit);
  if (!reduction) return tl::unexpected(reduction.error());
  result.lora = std::move(reduction->lora);
  result.relative_error = reduction->relative_error;
  tell_layers(result.notes, reduction->dropped, "of zeros left out");
  tell_error(result.notes, reduction->relative_error, *limit, what);
  return result;
}

std::vector<std::string> notes_of(const LoraDifference& difference, DiffMethod method) {
  const auto dropped = difference.dropped.size(), all = dropped + difference.lora.layers.size();
  if (dropped == 0) return {};
  if (method == DiffMethod::subspace) {
    if (dropped == all) return {"the subtrahend's spaces hold all of the minuend: nothing is left of it"};
    return {fmt::format("{} of {} layers lie in the subtrahend's spaces and are left out, the first is {}", dropped,
                        all, difference.dropped.front())};
  }
  if (dropped == all) return {"the two LoRAs are equal: nothing is left of their difference"};
  return {fmt::format("{} of {} layers are equal in both LoRAs and left out, the first is {}", dropped, all,
                      difference.dropped.front())};
}

std::string_view name_of(const MergeMethod& method) { return std::holds_alternative<Ties>(method) ? "ties" : "dare"; }

}  // namespace

Result<LoraResult> diff(const Lora& minuend, const Lora& subtrahend, const DiffOptions& options) {
  if (auto same = check_same_architecture(minuend, subtrahend); !same) return tl::unexpected(same.error());
  if (options.limit)
    if (auto valid = check(*options.limit); !valid) return tl::unexpected(valid.error());
  auto difference = options.method == DiffMethod::subtract ? subtract(minuend, subtrahend)
                                                           : remove_subspace(minuend, subtrahend, options.sides);
  if (!difference) return tl::unexpected(difference.error());
  LoraResult result{.notes = notes_of(*difference, options.method)};
  result.lora = std::move(difference->lora);
  return limited(std::move(result), options.limit, "difference");
}

Result<LoraResult> combine(std::span<const WeightedLora> loras, const CombineOptions& options) {
  if (loras.empty()) return fail("nothing to combine: give at least one LoRA");
  for (const WeightedLora& term : loras) {
    if (auto same = check_same_architecture(*loras.front().lora, *term.lora); !same)
      return tl::unexpected(same.error());
    if (auto used = term.blocks.check_used_by(*term.lora); !used) return tl::unexpected(used.error());
  }
  if (options.limit)
    if (auto valid = check(*options.limit); !valid) return tl::unexpected(valid.error());
  if (!options.method) {
    auto sum = weighted_sum(loras);
    if (!sum) return tl::unexpected(sum.error());
    return limited({.lora = *std::move(sum)}, options.limit, "sum");
  }
  if (!options.limit)
    return fail(
        fmt::format("the method {} gives full matrices: a rank, an energy or an error to reduce them to is needed",
                    name_of(*options.method)));
  auto merged = merge(loras, *options.method, *options.limit);
  if (!merged) return tl::unexpected(merged.error());
  LoraResult result{.lora = std::move(merged->lora), .relative_error = merged->relative_error};
  tell_layers(result.notes, merged->dropped, "of zeros left out");
  tell_error(result.notes, merged->relative_error, *options.limit, "merged LoRA");
  return result;
}

Result<LoraResult> resize(const Lora& lora, const RankLimit& limit) {
  if (auto valid = check(limit); !valid) return tl::unexpected(valid.error());
  return limited({.lora = lora}, limit, "LoRA");
}

Result<LoraWeights> lora_weights(const BaseModel& base) {
  LoraWeights weights;
  for (const ModelPart part : base.parts()) {
    const auto layers = lora_part_of(part);
    if (!layers) continue;
    auto of_part = base.weights(part);
    if (!of_part) return tl::unexpected(of_part.error());
    weights.emplace(*layers, *std::move(of_part));
  }
  return weights;
}

Result<at::Tensor> weight_of(const LoraWeights& base, const std::string& layer) {
  if (const auto part = base.find(part_of(layer)); part != base.end())
    if (const auto weight = find_weight(part->second, layer); weight != part->second.end()) return weight->second;
  return fail(fmt::format("LoRA layer '{}': the base model has no such layer", layer));
}

namespace {

std::string_view prefix_of(LoraPart part) {
  if (part == LoraPart::text_encoder) return kTextEncoderPrefix;
  return part == LoraPart::text_encoder_2 ? kTextEncoder2Prefix : std::string_view();
}

/// The layers of a part's weights that a LoRA can adapt: matrices and kernels, but no tables of embeddings.
std::vector<LoraTarget> layers_of(LoraPart part, const WeightMap& weights) {
  constexpr std::string_view weight = ".weight";
  std::vector<LoraTarget> layers;
  for (const auto& [name, tensor] : weights) {
    const bool matrix = tensor.dim() == 2 || tensor.dim() == 4;
    const bool in_blocks = part == LoraPart::unet || name.find("encoder.layers.") != std::string::npos;
    if (!matrix || !in_blocks || !name.ends_with(weight)) continue;
    layers.push_back(
        {fmt::format("{}{}", prefix_of(part), name.substr(0, name.size() - weight.size())), tensor.sizes().vec()});
  }
  return layers;
}

/// What a LoRA without these weights lacks of the training.
void tell_left_out(std::vector<std::string>& notes, const std::map<std::string, double>& left_out) {
  if (left_out.empty()) return;
  notes.push_back(fmt::format("{} to no layer of the LoRA, the first is {}",
                              left_out.size() == 1 ? "1 weight that differs belongs"
                                                   : fmt::format("{} weights that differ belong", left_out.size()),
                              left_out.begin()->first));
}

}  // namespace

Result<LoraResult> extract_lora(const LoraWeights& tuned, const LoraWeights& base, const ExtractOptions& options) {
  std::vector<LoraTarget> layers;
  for (const auto& [part, weights] : base)
    if (tuned.contains(part))
      for (LoraTarget& layer : layers_of(part, weights)) layers.push_back(std::move(layer));
  const LoraShape shape{.conv_rank = options.limits.convolutions ? 1 : 0};
  const auto targets = select_lora_targets(layers, shape, options.layers);
  if (!targets) return tl::unexpected(targets.error());
  LoraResult result;
  std::map<std::string, double> left_out;
  std::vector<std::string> equal;
  double squared_norm = 0, squared_error = 0;
  for (const auto& [part, weights] : base) {
    if (!tuned.contains(part)) continue;
    auto extraction = extract(tuned.at(part), weights, part, *targets, options.limits);
    if (!extraction) return tl::unexpected(extraction.error());
    squared_norm += extraction->squared_norm;
    squared_error += extraction->squared_error;
    result.lora.layers.merge(extraction->lora.layers);
    for (const auto& [name, distance] : extraction->left_out)
      left_out.emplace(fmt::format("{}{}", prefix_of(part), name), distance);
    equal.insert(equal.end(), extraction->equal.begin(), extraction->equal.end());
  }
  if (result.lora.layers.empty())
    return fail(left_out.empty() ? "the two models are equal: there is nothing to extract"
                                 : "the two models differ in no layer that the LoRA could have");
  result.relative_error = ratio_of_squares(squared_error, squared_norm);
  tell_layers(result.notes, equal, "equal in both models and left out");
  tell_left_out(result.notes, left_out);
  tell_error(result.notes, *result.relative_error, options.limits.layers, "LoRA");
  return result;
}

LoraBase lora_base_of(const BaseModel& base) {
  return {.architecture = base.architecture(),
          .prediction = base.scheduler_config().prediction_type,
          .zero_terminal_snr = base.scheduler_config().rescale_betas_zero_snr};
}

Result<void> check_architecture(const Lora& lora, Architecture base, std::string_view which) {
  if (!lora.base || lora.base->architecture == base) return {};
  return fail(fmt::format("{} was made for {}, the base is {}", which, architecture_name(lora.base->architecture),
                          architecture_name(base)));
}

}  // namespace atelier::diffusion
