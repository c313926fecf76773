// The kernels' one source, compiled once for each vector width: a file panel_kernels_<set>.cpp says ATELIER_SET,
// ATELIER_LANES and ATELIER_ROWS and includes this. Nothing of the standard library's inline code may come in here: the
// linker would keep one copy of it for all sets, made for the widest.
#include <stdint.h>

#include "diffusion/panel_kernels.h"

#if !defined(ATELIER_SET) || !defined(ATELIER_LANES) || !defined(ATELIER_ROWS)
#error "ATELIER_SET, ATELIER_LANES and ATELIER_ROWS say what is compiled"
#endif

namespace atelier::diffusion::ATELIER_SET {
namespace {

constexpr int kLanes = ATELIER_LANES;
constexpr int kRows = ATELIER_ROWS;  // times two vectors of accumulators: most of the registers
constexpr int kVectors = 2;
constexpr int64_t kTile = kVectors * kLanes;  // columns of one tile

using Vector = float __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
using Integers = int32_t __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
inline void store(float* to, Vector x) { *reinterpret_cast<Vector*>(to) = x; }
inline Vector all(float x) { return x - Vector{}; }
inline Vector bits(Integers x) { return reinterpret_cast<Vector>(x); }
inline Integers bits(Vector x) { return reinterpret_cast<Integers>(x); }
inline Vector choose(Integers where, Vector yes, Vector no) { return where ? yes : no; }
inline Vector larger(Vector a, Vector b) { return choose(a > b, a, b); }
inline Vector smaller(Vector a, Vector b) { return choose(a < b, a, b); }

inline float sum(Vector x) {
  float total = 0;
  for (int i = 0; i < kLanes; ++i) total += x[i];
  return total;
}

// ---- products

constexpr int64_t kRunsAhead = 4, kNumbersAhead = 16;

/// One tile: R rows, V vectors of columns.
template <int R, int V>
void tile(const PanelProduct& p, const float* panel, float* out) {
  Vector sums[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sums[r][v] = p.accumulate ? load(out + r * p.out_stride + v * kLanes) : Vector{};
  const int64_t stride = p.left.row_stride, inner = p.left.inner, outer = p.left.outer_stride;
  const bool one_run = outer == 0;
  const int64_t steps = one_run ? p.k_end - p.k_begin : inner;
  const int64_t runs = one_run ? 1 : (p.k_end - p.k_begin) / inner;
  const float* left = p.left.data + (one_run ? p.k_begin : p.k_begin / inner * outer);
  for (int64_t run = 0; run < runs; ++run, left += outer) {
    // Runs lie too far apart for the processor to guess the next.
    if (inner == 1) __builtin_prefetch(left + kNumbersAhead * outer);
    if (inner > 1 && !one_run)
      for (int64_t at = 0; at < R * stride; at += 16) __builtin_prefetch(left + kRunsAhead * outer + at);
    for (int64_t i = 0; i < steps; ++i, panel += p.panel_stride) {
      Vector x[V];
      for (int v = 0; v < V; ++v) x[v] = load(panel + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const float a = left[r * stride + i];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sums[r][v] += a * x[v];
      }
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) store(out + r * p.out_stride + v * kLanes, sums[r][v]);
}

template <int R>
void rows_of(const PanelProduct& p, float* out) {
  int64_t column = 0;
  for (; column + kTile <= p.columns; column += kTile) tile<R, kVectors>(p, p.panel + column, out + column);
  for (; column < p.columns; column += kLanes) tile<R, 1>(p, p.panel + column, out + column);
}

using RowsOf = void (*)(const PanelProduct&, float*);

template <int R>
RowsOf rows_function(int64_t rows) {
  if constexpr (R == 1) {
    return rows_of<1>;
  } else {
    return rows == R ? rows_of<R> : rows_function<R - 1>(rows);
  }
}

#if ATELIER_LANES == 16
constexpr int kWideRows = 8, kWideVectors = 3;  // as many accumulators, for heads of 40 or 48 numbers

template <int R>
void wide_rows_of(const PanelProduct& p, float* out) {
  tile<R, kWideVectors>(p, p.panel, out);
}

template <int R>
RowsOf wide_rows_function(int64_t rows) {
  if constexpr (R == 1) {
    return wide_rows_of<1>;
  } else {
    return rows == R ? wide_rows_of<R> : wide_rows_function<R - 1>(rows);
  }
}
#endif

void multiply(const PanelProduct& product) {
  PanelProduct p = product;
  float* out = p.out;
  int64_t step = kRows;
  RowsOf (*function)(int64_t) = rows_function<kRows>;
#if ATELIER_LANES == 16
  if (product.columns == kWideVectors * kLanes) step = kWideRows, function = wide_rows_function<kWideRows>;
#endif
  for (int64_t row = 0; row < product.rows; row += step) {
    const int64_t rows = product.rows - row < step ? product.rows - row : step;
    p.left = product.left.from_row(row);
    function(rows)(p, out);
    out += rows * p.out_stride;
  }
}

// ---- transposition

constexpr int kBlock = 16;

/// 16 x 16, by halves: what the compiler turns into shuffles.
inline void transpose_block(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  float block[kBlock][kBlock];
  for (int r = 0; r < kBlock; ++r)
    for (int c = 0; c < kBlock; ++c) block[r][c] = from[r * from_stride + c];
  for (int c = 0; c < kBlock; ++c)
    for (int r = 0; r < kBlock; ++r) to[c * to_stride + r] = block[r][c];
}

#if ATELIER_LANES == 16
/// The same with whole vectors: rows are interleaved four times, each time at half the distance.
inline void transpose_vectors(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  const Integers low = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
  const Integers high = {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  Vector a[kBlock], b[kBlock];
#pragma GCC unroll 16
  for (int r = 0; r < kBlock; ++r) a[r] = load(from + r * from_stride);
#pragma GCC unroll 4
  for (int round = 0; round < 4; ++round) {
#pragma GCC unroll 8
    for (int r = 0; r < kBlock / 2; ++r) {
      b[2 * r] = __builtin_shuffle(a[r], a[r + kBlock / 2], low);
      b[2 * r + 1] = __builtin_shuffle(a[r], a[r + kBlock / 2], high);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kBlock; ++r) a[r] = b[r];
  }
#pragma GCC unroll 16
  for (int r = 0; r < kBlock; ++r) store(to + r * to_stride, a[r]);
}
#endif

void transpose(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < rows; r += kBlock)
    for (int64_t c = 0; c < columns; c += kBlock) {
      const float* block = from + r * from_stride + c;
      float* turned = to + c * to_stride + r;
      if (rows - r >= kBlock && columns - c >= kBlock) {
#if ATELIER_LANES == 16
        transpose_vectors(block, from_stride, turned, to_stride);
#else
        transpose_block(block, from_stride, turned, to_stride);
#endif
        continue;
      }
      for (int64_t i = 0; i < kBlock && r + i < rows; ++i)
        for (int64_t j = 0; j < kBlock && c + j < columns; ++j) turned[j * to_stride + i] = block[i * from_stride + j];
    }
}

// ---- functions of a vector

/// e^x, to two units in the last place; 0 under -87.3. Cody & Waite's reduction and Cephes' polynomial (expf).
inline Vector exponential(Vector x) {
  const Vector highest = all(88.3762626647949F), lowest = all(-87.3365478515625F);
  const Integers under = x < lowest;
  x = smaller(larger(x, lowest), highest);
  const Vector magic = all(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer
  const Vector n = (x * 1.44269504088896341F + magic) - magic;
  Vector r = x - n * 0.693359375F;
  r = r + n * 2.12194440e-4F;
  Vector y = all(1.9875691500e-4F);
  y = y * r + 1.3981999507e-3F;
  y = y * r + 8.3334519073e-3F;
  y = y * r + 4.1665795894e-2F;
  y = y * r + 1.6666665459e-1F;
  y = y * r + 5.0000001201e-1F;
  y = y * r * r + r + 1.0F;
  const Integers power = (__builtin_convertvector(n, Integers) + 127) << 23;
  return choose(under, Vector{}, y * bits(power));
}

inline Vector sigmoid(Vector x) { return 1.0F / (1.0F + exponential(-x)); }

/// erf, to 1.2e-7: an odd rational function of x in [-4, 4], where it is 1 within float32 (W. J. Cody's form, with the
/// coefficients of Eigen's and XLA's erf).
inline Vector error_function(Vector x) {
  x = smaller(larger(x, all(-4.0F)), all(4.0F));
  const Vector x2 = x * x;
  Vector p = all(-2.72614225801306e-10F);
  p = p * x2 + 2.77068142495902e-08F;
  p = p * x2 + -2.10102402082508e-06F;
  p = p * x2 + -5.69250639462346e-05F;
  p = p * x2 + -7.34990630326855e-04F;
  p = p * x2 + -2.95459980854025e-03F;
  p = p * x2 + -1.60960333262415e-02F;
  Vector q = all(-1.45660718464996e-05F);
  q = q * x2 + -2.13374055278905e-04F;
  q = q * x2 + -1.68282697438203e-03F;
  q = q * x2 + -7.37332916720468e-03F;
  q = q * x2 + -1.42647390514189e-02F;
  return x * p / q;
}

/// Applies `f` to n numbers at a time, and to a copy padded with zeros where fewer are left.
template <class F>
inline void by_vectors(int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, kLanes);
  if (i < n) f(i, static_cast<int>(n - i));
}

inline Vector load_some(const float* from, int count) {
  if (count == kLanes) return load(from);
  Vector x{};
  for (int i = 0; i < count; ++i) x[i] = from[i];
  return x;
}

inline void store_some(float* to, Vector x, int count) {
  if (count == kLanes) return store(to, x);
  for (int i = 0; i < count; ++i) to[i] = x[i];
}

#include "diffusion/panel_kernels_attention.h"
#include "diffusion/panel_kernels_elements.h"
#include "diffusion/panel_kernels_winograd.h"

}  // namespace

extern const PanelKernels kernels;
const PanelKernels kernels = {ATELIER_NAME,   kRows,         multiply, transpose,      attend,         attend_backward,
                              norm,           norm_backward, geglu,    geglu_backward, winograd_input, winograd_kernels,
                              winograd_output};

}  // namespace atelier::diffusion::ATELIER_SET
