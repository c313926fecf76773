// How far two LoRAs are apart: the norm of the difference of their updates, and the angles between the spaces that they
// read and write. All from the factors, in float64, never from a dense matrix.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "diffusion/lora.h"

namespace atelier::diffusion {

struct LayerComparison {
  double difference = 0;   ///< ||dWa - dWb||, Frobenius; exactly 0 for factors and alphas that are equal
  double first_norm = 0;   ///< ||dWa||
  double second_norm = 0;  ///< ||dWb||
  double relative = 0;     ///< difference / second_norm; 0 where both are zero, infinite where dWb alone is
  std::vector<double> column_angles{};  ///< radians in [0, pi / 2], ascending, between the column spaces of dWa and dWb
                                        ///< (what they write); as many as the lower of their numerical ranks
  std::vector<double> row_angles{};     ///< the same between the row spaces (what they read)
};

struct LoraComparison {
  std::map<std::string, LayerComparison> layers{};  ///< those that both have
  std::vector<std::string> first_only{};            ///< sorted
  std::vector<std::string> second_only{};           ///< sorted
  /// ||dWa - dWb|| / ||dWb|| over all layers, one that a LoRA does not have as zero in it.
  double relative = 0;
};

/// The comparison of every layer. Errors: a layer whose shapes differ; factors that hold NaN or infinite numbers.
Result<LoraComparison> compare(const Lora& first, const Lora& second);

/// The principal angles between the spaces that the orthonormal columns of `first` [n, p] and `second` [n, q] span,
/// min(p, q) of them, radians, ascending. Cosines where they tell angles apart, sines for the small ones (Björck and
/// Golub 1973), so that equal spaces give 1e-16 and not 1e-8.
std::vector<double> principal_angles(const at::Tensor& first, const at::Tensor& second);

}  // namespace atelier::diffusion
