// The inner loops of float32 products on the CPU, once for each vector width this build knows; libtorch stays outside.
//
// A product C = A X is made of panels: kPanel columns of X, rows of X one behind the other. A is never packed: its
// numbers are read one at a time and spread over a vector of columns, so one copy of a layer's weights, as the file
// holds it, serves the forward pass (rows of W) and the backward pass (columns of W) alike.
#pragma once

#include <cstdint>

namespace atelier::diffusion {

inline constexpr int64_t kPanel = 32;      ///< columns of a panel: two vectors of 512 bits
inline constexpr int64_t kHalfPanel = 16;  ///< the narrowest panel

/// The left factor of a product, read where it lies: element (r, k) with k = outer * inner + i, i < inner, stands at
/// data[r * row_stride + outer * outer_stride + i].
struct LeftFactor {
  const float* data;
  int64_t row_stride;
  int64_t inner;
  int64_t outer_stride;

  /// A matrix [rows, k], row after row, `stride` apart.
  static LeftFactor rows_of(const float* data, int64_t k, int64_t stride) { return {data, stride, k, 0}; }
  /// The transpose of a matrix [k, rows], row after row, `stride` apart.
  static LeftFactor columns_of(const float* data, int64_t stride) { return {data, 1, 1, stride}; }
  LeftFactor from_row(int64_t row) const { return {data + row * row_stride, row_stride, inner, outer_stride}; }
};

/// What one product of a few rows with one panel is.
struct PanelProduct {
  LeftFactor left;
  int64_t rows;
  int64_t k_begin, k_end;  ///< multiples of left.inner, where left has more than one outer step
  const float* panel;      ///< row k_begin of the panel, `panel_stride` from row to row
  int64_t panel_stride;
  int64_t columns;  ///< kHalfPanel, kPanel, or the sum of both
  float* out;       ///< [rows, columns], `out_stride` from row to row
  int64_t out_stride;
  bool accumulate;  ///< adds to what stands in out
};

/// One head's attention over some queries; all matrices [tokens, width], one row behind the other.
struct AttentionHead {
  const float *q, *k, *v;
  int64_t queries, keys, width;
  float scale;
};

struct AttentionGradients {
  const float* out_gradient;  ///< [queries, width]
  const float* log_sum;       ///< [queries] of the forward pass
  const float* delta;         ///< [queries] sum over the width of out * out_gradient
  float *q, *k, *v;           ///< [tokens, width], overwritten
};

/// Normalisation of a group of channels: `channels` runs of `pixels` numbers each, one behind the other.
struct NormGroup {
  int64_t channels, pixels;
  const float *weight, *bias;  ///< [channels]
  double eps;
  bool silu;  ///< x * sigmoid(x) of the result
};

/// Winograd's F(4x4, 3x3): outputs by tiles of 4 x 4, each from 6 x 6 inputs, by products at 36 positions.
inline constexpr int64_t kWinogradOut = 4, kWinogradIn = 6, kWinogradPositions = kWinogradIn * kWinogradIn;

/// Up to kHalfPanel tiles of a map of height x width numbers, which are counted row by row.
struct WinogradTiles {
  int64_t height, width;
  int64_t first, count;
};

/// 3x3 kernels, one behind the other.
struct WinogradKernels {
  const float* data;
  int64_t count;
  int64_t behind;  ///< numbers that may be read behind the last one
  bool turned;     ///< by 180 degrees, as the gradient wants them
};

struct PanelKernels {
  const char* name;      ///< "avx512", "avx2", "baseline"
  int64_t rows_at_once;  ///< rows of the left factor that a product keeps in registers

  void (*multiply)(const PanelProduct& product);
  /// to[c][r] = from[r][c], rows `from_stride` and `to_stride` apart.
  void (*transpose)(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to,
                    int64_t to_stride);

  /// softmax(scale q k^T) v and the logarithm of each query's sum of exponentials, kept by blocks of keys
  /// (Milakov & Gimelshein 2018; Dao et al. 2022): out [queries, width], log_sum [queries].
  void (*attend)(const AttentionHead& head, float* out, float* log_sum);
  /// The gradients, scores computed anew (Dao et al. 2022, algorithm 4).
  void (*attend_backward)(const AttentionHead& head, const AttentionGradients& gradients);

  /// y = silu?(normalised x * weight + bias).
  void (*norm)(const NormGroup& group, const float* x, float* y);
  /// The gradient of x from that of y; weight and bias are frozen.
  void (*norm_backward)(const NormGroup& group, const float* x, const float* y_gradient, float* x_gradient);

  /// out = a * gelu(b), gelu with the error function; n numbers.
  void (*geglu)(const float* a, const float* b, float* out, int64_t n);
  void (*geglu_backward)(const float* a, const float* b, const float* out_gradient, float* a_gradient,
                         float* b_gradient, int64_t n);

  /// What the tiles' inputs become, zeros around the map: out[position * position_stride + tile], kHalfPanel tiles.
  void (*winograd_input)(const WinogradTiles& tiles, const float* map, float* out, int64_t position_stride);
  /// What the kernels become: out[position * position_stride + kernel].
  void (*winograd_kernels)(const WinogradKernels& kernels, float* out, int64_t position_stride);
  /// Writes the tiles of `map` that products[position * position_stride + tile] make, bias added.
  void (*winograd_output)(const WinogradTiles& tiles, const float* products, int64_t position_stride, float bias,
                          float* map);
};

/// The widest kernels this processor has; ATELIER_VECTORS=avx2 or baseline in the environment asks for narrower ones.
const PanelKernels& panel_kernels();

/// Every set of kernels this processor can run, widest first: for tests.
struct PanelKernelSets {
  const PanelKernels* sets[3];
  int count;
};
PanelKernelSets all_panel_kernels();

}  // namespace atelier::diffusion
