// cli: what `atelier lora info` tells of each layer.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/lora_files.h"

namespace atelier::cli {

struct LayerReport {
  std::string name{};                     // as in diffusion::Lora::layers
  std::string kind{};                     // "LoRA", "LoCon", "LoHa", "LoKr"
  bool is_dora = false;                   // then all below is of the update that the magnitude is not yet applied to
  std::vector<std::int64_t> shape{};      // of dW
  std::int64_t rank = 0;                  // of dW's factors, or of dW itself where it is a full matrix
  std::optional<double> alpha{};          // nothing for LoHa and LoKr, which have it in their factors
  std::vector<double> singular_values{};  // descending
  double norm = 0;                        // ||dW||, Frobenius
  std::int64_t ranks_for_90 = 0;          // the fewest that hold 90 % of the energy
  std::int64_t ranks_for_99 = 0;
};

// In the order of their names, on all of libtorch's threads.
std::vector<LayerReport> report_layers(const diffusion::LoraUpdates& updates);

}  // namespace atelier::cli
