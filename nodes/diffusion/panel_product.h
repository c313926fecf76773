// Products of matrices by panels, on all threads: what stands between the layers and the kernels. float32 on the CPU.
//
// Every number of a result is the sum of the same terms in the same order whatever the count of threads is.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "diffusion/panel_kernels.h"

namespace atelier::diffusion {

/// The right factor of a product, [k, columns], as panels: panel p begins at data + p * step, its rows `stride` apart.
struct Panels {
  const float* data;
  int64_t k;
  int64_t step;
  int64_t stride;

  static Panels packed(const float* data, int64_t k) { return {data, k, k * kPanel, kPanel}; }
  /// A matrix [k, columns] as it lies; its columns must be a multiple of kHalfPanel.
  static Panels of_matrix(const float* data, int64_t k, int64_t columns) { return {data, k, kPanel, columns}; }
};

struct ProductTerm {
  LeftFactor left;
  Panels right;
};

/// Takes rows [row, row + rows) of panel `panel`, [rows, kPanel], of which the columns the product has mean something.
using StoreTile = std::function<void(int64_t row, int64_t rows, int64_t panel, const float* tile)>;

/// A result: the sum of the terms, given to `store` tile by tile, from any thread, each once.
struct PanelResult {
  int64_t rows;
  std::vector<ProductTerm> terms;
  StoreTile store;
};

/// Computes the results' panels [0, ceil(columns / kPanel)).
void compute(std::span<const PanelResult> results, int64_t columns);

/// Fills panel p with rows [k_begin, k_end) of the right factor; `out` is where row k_begin goes.
using PackPanel = std::function<void(int64_t panel, int64_t k_begin, int64_t k_end, float* out)>;

/// Packs `panels` panels of `k` rows on all threads. `k_unit`: k_begin is always a multiple of it.
void pack(int64_t panels, int64_t k, int64_t k_unit, const PackPanel& pack_panel, float* out);

/// How many panels of `k` rows to pack at a time, so that they stay in the caches.
int64_t panels_at_once(int64_t k);

/// Memory for `count` floats that this thread keeps for its next product; each slot is its own.
enum class Scratch { columns, low_rank, more_columns, left, tile };
float* scratch(Scratch slot, int64_t count);

constexpr int64_t panels_of(int64_t columns) { return (columns + kPanel - 1) / kPanel; }

}  // namespace atelier::diffusion
