// Dropout of LoRA layers in training, as kohya's LoRAModule defines it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/adapters.h"

namespace atelier::diffusion {

struct DropoutOptions {
  double rank = 0;  ///< share of a layer's ranks that one row of a batch does without; the others count 1 / (1 - rank)
  double module = 0;  ///< share of the layers that one batch does without

  bool any() const noexcept { return rank > 0 || module > 0; }
};

/// Fills `values` with independent uniform numbers in [0, 1) for step `step` and what `purpose` names. The library
/// draws nothing itself: the caller keys the stream by its seed and these two, so that a training that was cut off goes
/// on with the numbers it would have had.
using StepUniformSource = std::function<void(int64_t step, std::string_view purpose, std::span<float> values)>;

/// What one batch is dropped: drawn once for the whole batch, so that it does not depend on how the batch is cut into
/// passes. A default value drops nothing.
class Dropout {
 public:
  Dropout() = default;

  /// @param batch        which of the step's batches it is; part of the purpose
  /// @param row_tenant   [N], of the whole batch
  Dropout(const DropoutOptions& options, const StepUniformSource& uniform, int64_t step, int64_t batch,
          const Adapters& adapters, const std::vector<int64_t>& row_tenant);

  /// The dropout of the rows [begin, end) alone.
  Dropout rows(int64_t begin, int64_t end) const;

  /// The adapters with the dropout on them. Where ranks are dropped every row gets factors of its own, and `row_tenant`
  /// comes back as 0, 1, 2, …
  Adapters on(const Adapters& adapters, std::vector<int64_t>& row_tenant) const;

 private:
  struct Layer {
    at::Tensor module;  // [K] 0 or 1; undefined: all 1
    at::Tensor rank;    // [N, r] 0 or 1 / (1 - p); undefined: all 1
  };
  std::map<std::string, Layer, std::less<>> layers_;
};

}  // namespace atelier::diffusion
