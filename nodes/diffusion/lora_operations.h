// What people do with LoRAs, with the options that the nodes and the command line share. Each is made of the algebra's
// functions and tells in sentences what its user should know.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/base_model.h"
#include "diffusion/lora_extract.h"
#include "diffusion/lora_merge.h"
#include "diffusion/lora_reduce.h"
#include "diffusion/lora_subspace.h"

namespace atelier::diffusion {

/// What an operation made.
struct LoraResult {
  Lora lora{};
  std::optional<double> relative_error{};  ///< of a reduction: ||dW - dW'|| / ||dW|| over all layers, Frobenius
  std::vector<std::string> notes{};        ///< layers that were left out, what a reduction costs, …
};

enum class DiffMethod { subtract, subspace };

struct DiffOptions {
  DiffMethod method = DiffMethod::subtract;
  RemovedSides sides = RemovedSides::left;  ///< of the method subspace
  std::optional<RankLimit> limit{};         ///< what the result is reduced to; absent: it is exact
};

/// minuend - subtrahend, or minuend without the subtrahend's spaces. Errors: LoRAs of two architectures; those of
/// subtract(), remove_subspace() and reduce().
Result<LoraResult> diff(const Lora& minuend, const Lora& subtrahend, const DiffOptions& options = {});

struct CombineOptions {
  std::optional<MergeMethod> method{};  ///< absent: the exact sum
  std::optional<RankLimit> limit{};     ///< what the result is reduced to; the methods need one
};

/// The weighted sum of the LoRAs, or what the method makes of them. Errors: no LoRA; LoRAs of two architectures; a
/// method without a limit; those of weighted_sum(), merge() and reduce().
Result<LoraResult> combine(std::span<const WeightedLora> loras, const CombineOptions& options = {});

/// The LoRA at the rank that the limit gives each layer. Errors: those of reduce().
Result<LoraResult> resize(const Lora& lora, const RankLimit& limit);

struct ExtractOptions {
  ExtractionLimits limits;
  std::vector<std::string> layers{};  ///< patterns of names (name_patterns.h); empty: what kohya's LoRA adapts, and
                                      ///< with a limit for convolutions those too
};

/// The weights of the models that a LoRA can change, by diffusers' names: views of files, so that a whole base is
/// little memory.
using LoraWeights = std::map<LoraPart, WeightMap>;

/// Those of a base as stored. Errors: those of BaseModel::weights().
Result<LoraWeights> lora_weights(const BaseModel& base);

/// The weight that the layer of that name changes. An Error where the base does not have it.
Result<at::Tensor> weight_of(const LoraWeights& base, const std::string& layer);

/// The LoRA that comes nearest to tuned - base, of the parts that both have; it does not say its kind of base. Errors:
/// two that are equal; patterns as in select_lora_targets(); those of extract().
Result<LoraResult> extract_lora(const LoraWeights& tuned, const LoraWeights& base, const ExtractOptions& options);

/// The kind of base that a model is, as LoRAs for it name it.
LoraBase lora_base_of(const BaseModel& base);

/// An Error where that LoRA was made for another architecture than `base`; `which` says which LoRA it is, as in
/// "LoRA 2". What it was made for may not be known.
Result<void> check_architecture(const Lora& lora, Architecture base, std::string_view which);

}  // namespace atelier::diffusion
