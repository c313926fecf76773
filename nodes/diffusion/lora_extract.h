// Extraction: the LoRA that comes nearest to what a full training changed in a model.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/lora_reduce.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

struct ExtractionLimits {
  RankLimit layers;                            ///< of every layer
  std::optional<RankLimit> convolutions = {};  ///< of convolutions with a kernel over 1x1 instead, where given
};

struct LoraExtraction {
  Lora lora;
  std::map<std::string, double> layer_relative_error{};  ///< what the LoRA lacks of each layer's difference, Frobenius
  double relative_error = 0;                             ///< the same over all layers
  double squared_norm = 0;                               ///< ||tuned - base||^2 over them
  double squared_error = 0;                              ///< what the LoRA lacks of it, squared
  std::vector<std::string> equal{};                      ///< layers whose weights are the same in both, sorted
  /// Weights of the part that differ and belong to no layer of `targets`, with ||tuned - base||: a LoRA without them is
  /// less than the training.
  std::map<std::string, double> left_out{};
};

/// The best LoRA for tuned - base of one part of a model, layer by layer: memory is that of one layer. The layers are
/// chosen as for a training (select_lora_targets() of lora_targets.h); targets of other parts are passed over. Text
/// encoders' weights may be named with `text_model.` before them or without.
/// Errors: a limit that is none; a layer that a model does not have, or with another shape in both; a difference that
/// holds NaN or infinite numbers.
Result<LoraExtraction> extract(const WeightMap& tuned, const WeightMap& base, LoraPart part,
                               std::span<const LoraTarget> targets, const ExtractionLimits& limits);

}  // namespace atelier::diffusion
