// Reduction of LoRAs: of each layer the best approximation of a lower rank (Eckart-Young), by a rank, by the energy
// that it keeps or by the error that it may have.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/lora.h"

namespace atelier::diffusion {

/// How many of a layer's singular values stay. With a rank beside energy or error, the rank is the most that stay.
struct RankLimit {
  std::optional<int64_t> rank{};   ///< at least 1: the greatest ones
  std::optional<double> energy{};  ///< in (0, 1]: the fewest whose squares sum to that share of all (kohya's sv_fro s
                                   ///< is the energy s^2)
  std::optional<double> error{};   ///< in [0, 1): the fewest with ||dW - dW'|| / ||dW|| at most that, Frobenius
};

/// An Error where nothing, or energy and error both, are given, or a number is out of its range.
Result<void> check(const RankLimit& limit);

/// How many of these descending singular values (float64) stay; 0 only where all are zero. Those that are rounding
/// (numerical_rank() of lora_svd.h) never stay. `limit` must be valid.
int64_t kept_rank(const at::Tensor& singular_values, const RankLimit& limit);

/// As above for `trusted` values out of all that count as the whole.
int64_t kept_rank(const at::Tensor& singular_values, const RankLimit& limit, int64_t trusted);

/// The ratio of two Frobenius norms from their squares; 0 where the whole is zero.
double ratio_of_squares(double part, double whole);

struct LoraReduction {
  Lora lora;
  std::vector<std::string> dropped{};                    ///< layers whose dW is exactly zero, sorted
  double relative_error = 0;                             ///< ||dW - dW'|| / ||dW|| over all layers, Frobenius
  std::map<std::string, double> layer_relative_error{};  ///< the same for each layer that was reduced
};

/// Every layer at the rank that the limit gives it. A layer that loses nothing stays as it is, to the bit.
/// Errors: of check(); a layer whose factors hold NaN or infinite numbers.
Result<LoraReduction> reduce(const Lora& lora, const RankLimit& limit);

}  // namespace atelier::diffusion
