// Part of panel_kernels_body.h: the transformations of Winograd's F(4x4, 3x3), Lavin & Gray 2016. A tile of 6 x 6
// inputs and a kernel of 3 x 3 each become 36 numbers, whose products, summed over the channels, become 4 x 4 outputs.
//
// The points are 0, +-1/sqrt(2), +-sqrt(2) and infinity: with them the error in float32 is 1.6 times that of a plain
// sum; with Lavin's 0, +-1, +-2 it is 3.6 times.

constexpr float kNear = 0.70710678118654752440F, kFar = 1.41421356237309504880F;  // kNear * kFar = 1

/// B^T d, one dimension.
inline void transform_input(const Vector (&d)[kWinogradIn], Vector (&out)[kWinogradIn]) {
  const Vector even_near = d[4] - 2.0F * d[2], odd_near = kNear * d[3] - kFar * d[1];
  const Vector even_far = d[4] - 0.5F * d[2], odd_far = kFar * d[3] - kNear * d[1];
  out[0] = d[0] - 2.5F * d[2] + d[4];
  out[1] = even_near + odd_near;
  out[2] = even_near - odd_near;
  out[3] = even_far + odd_far;
  out[4] = even_far - odd_far;
  out[5] = d[1] - 2.5F * d[3] + d[5];
}

/// A^T m, one dimension.
inline void transform_output(const Vector (&m)[kWinogradIn], Vector (&out)[kWinogradOut]) {
  const Vector near_sum = m[1] + m[2], near_difference = m[1] - m[2];
  const Vector far_sum = m[3] + m[4], far_difference = m[3] - m[4];
  out[0] = m[0] + near_sum + far_sum;
  out[1] = kNear * near_difference + kFar * far_difference;
  out[2] = 0.5F * near_sum + 2.0F * far_sum;
  out[3] = kNear * 0.5F * near_difference + kFar * 2.0F * far_difference + m[5];
}

/// G g, one dimension.
inline void transform_kernel(Vector g0, Vector g1, Vector g2, Vector (&out)[kWinogradIn]) {
  constexpr float kNearShare = -1.0F / 1.5F, kFarShare = 1.0F / 6.0F;
  const Vector even_near = kNearShare * g0 + kNearShare * 0.5F * g2, odd_near = kNearShare * kNear * g1;
  const Vector even_far = kFarShare * g0 + kFarShare * 2.0F * g2, odd_far = kFarShare * kFar * g1;
  out[0] = g0;
  out[1] = even_near + odd_near;
  out[2] = even_near - odd_near;
  out[3] = even_far + odd_far;
  out[4] = even_far - odd_far;
  out[5] = g2;
}

/// Calls f(lane, y, x, length) for each run of tiles of the block that lie side by side.
template <class F>
inline void for_tile_runs(const WinogradTiles& tiles, F f) {
  const int64_t across = (tiles.width + kWinogradOut - 1) / kWinogradOut;
  for (int64_t lane = 0; lane < tiles.count;) {
    const int64_t tile = tiles.first + lane, column = tile % across;
    const int64_t left = tiles.count - lane, length = across - column < left ? across - column : left;
    f(lane, tile / across * kWinogradOut, column * kWinogradOut, length);
    lane += length;
  }
}

/// `count` numbers of a row of `width` numbers from `begin` on, which may lie outside, where zeros are.
inline void copy_row(const float* row, int64_t width, int64_t begin, int64_t count, float* to) {
  int64_t i = 0;
  for (; i < count && begin + i < 0; ++i) to[i] = 0;
  const int64_t inside = width - begin < count ? width - begin : count;
  for (; i < inside; ++i) to[i] = row[begin + i];
  for (; i < count; ++i) to[i] = 0;
}

constexpr int64_t kBlockPixels = kHalfPanel * kWinogradOut;  // across a block's tiles, were they side by side

/// Every fourth number of 4 * kHalfPanel, from each of the first four: to[phase][tile].
inline void part_phases(const float* pixels, float* to) {
#if ATELIER_LANES == 16
  const Integers even = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
  const Integers odd = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31};
  const Vector a = load(pixels), b = load(pixels + 16), c = load(pixels + 32), d = load(pixels + 48);
  const Vector even_low = __builtin_shuffle(a, b, even), even_high = __builtin_shuffle(c, d, even);
  const Vector odd_low = __builtin_shuffle(a, b, odd), odd_high = __builtin_shuffle(c, d, odd);
  store(to, __builtin_shuffle(even_low, even_high, even));
  store(to + 16, __builtin_shuffle(odd_low, odd_high, even));
  store(to + 32, __builtin_shuffle(even_low, even_high, odd));
  store(to + 48, __builtin_shuffle(odd_low, odd_high, odd));
#else
  for (int64_t phase = 0; phase < kWinogradOut; ++phase)
    for (int64_t i = 0; i < kHalfPanel; ++i) to[phase * kHalfPanel + i] = pixels[i * kWinogradOut + phase];
#endif
}

/// The reverse of part_phases.
inline void join_phases(const float* phases, float* to) {
#if ATELIER_LANES == 16
  const Integers low = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
  const Integers high = {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const Vector a = load(phases), b = load(phases + 16), c = load(phases + 32), d = load(phases + 48);
  const Vector even_low = __builtin_shuffle(a, c, low), even_high = __builtin_shuffle(a, c, high);
  const Vector odd_low = __builtin_shuffle(b, d, low), odd_high = __builtin_shuffle(b, d, high);
  store(to, __builtin_shuffle(even_low, odd_low, low));
  store(to + 16, __builtin_shuffle(even_low, odd_low, high));
  store(to + 32, __builtin_shuffle(even_high, odd_high, low));
  store(to + 48, __builtin_shuffle(even_high, odd_high, high));
#else
  for (int64_t i = 0; i < kHalfPanel; ++i)
    for (int64_t phase = 0; phase < kWinogradOut; ++phase)
      to[i * kWinogradOut + phase] = phases[phase * kHalfPanel + i];
#endif
}

void winograd_input(const WinogradTiles& tiles, const float* map, float* out, int64_t position_stride) {
  // Row by row: the four phases of the tiles' own columns, then the two of their right neighbours'.
  float parts[kWinogradIn][2 * kWinogradOut * kHalfPanel];
  float own[kBlockPixels], next[kBlockPixels];
  if (tiles.count < kHalfPanel)
    for (int64_t i = 0; i < kBlockPixels; ++i) own[i] = next[i] = 0;
  for (int64_t r = 0; r < kWinogradIn; ++r) {
    for_tile_runs(tiles, [&](int64_t lane, int64_t y, int64_t x, int64_t length) {
      const int64_t row = y + r - 1, at = lane * kWinogradOut, pixels = length * kWinogradOut;
      const bool inside = row >= 0 && row < tiles.height;
      const float* from = map + (inside ? row * tiles.width : 0);
      const int64_t width = inside ? tiles.width : 0;
      copy_row(from, width, x - 1, pixels, own + at);
      copy_row(from, width, x - 1 + kWinogradOut, pixels, next + at);
    });
    part_phases(own, parts[r]);
    part_phases(next, parts[r] + kWinogradOut * kHalfPanel);
  }
  for (int64_t lane = 0; lane < kHalfPanel; lane += kLanes) {
    Vector columns[kWinogradIn][kWinogradIn];  // [x][transformed y]
#pragma GCC unroll 6
    for (int x = 0; x < kWinogradIn; ++x) {
      Vector d[kWinogradIn];
#pragma GCC unroll 6
      for (int y = 0; y < kWinogradIn; ++y) d[y] = load(parts[y] + x * kHalfPanel + lane);
      transform_input(d, columns[x]);
    }
#pragma GCC unroll 6
    for (int y = 0; y < kWinogradIn; ++y) {
      Vector d[kWinogradIn], v[kWinogradIn];
#pragma GCC unroll 6
      for (int x = 0; x < kWinogradIn; ++x) d[x] = columns[x][y];
      transform_input(d, v);
#pragma GCC unroll 6
      for (int x = 0; x < kWinogradIn; ++x) store(out + (y * kWinogradIn + x) * position_stride + lane, v[x]);
    }
  }
}

void winograd_output(const WinogradTiles& tiles, const float* products, int64_t position_stride, float bias,
                     float* map) {
  float phases[kWinogradOut][kBlockPixels], pixels[kBlockPixels];
  for (int64_t lane = 0; lane < kHalfPanel; lane += kLanes) {
    Vector columns[kWinogradIn][kWinogradOut];  // [x][y]
#pragma GCC unroll 6
    for (int x = 0; x < kWinogradIn; ++x) {
      Vector m[kWinogradIn];
#pragma GCC unroll 6
      for (int y = 0; y < kWinogradIn; ++y) m[y] = load(products + (y * kWinogradIn + x) * position_stride + lane);
      transform_output(m, columns[x]);
    }
#pragma GCC unroll 4
    for (int y = 0; y < kWinogradOut; ++y) {
      Vector m[kWinogradIn], v[kWinogradOut];
#pragma GCC unroll 6
      for (int x = 0; x < kWinogradIn; ++x) m[x] = columns[x][y];
      transform_output(m, v);
#pragma GCC unroll 4
      for (int x = 0; x < kWinogradOut; ++x) store(phases[y] + x * kHalfPanel + lane, v[x] + bias);
    }
  }
  for (int64_t r = 0; r < kWinogradOut; ++r) {
    join_phases(phases[r], pixels);
    for_tile_runs(tiles, [&](int64_t lane, int64_t y, int64_t x, int64_t length) {
      if (y + r >= tiles.height) return;
      const int64_t wide = length * kWinogradOut, count = tiles.width - x < wide ? tiles.width - x : wide;
      float* to = map + (y + r) * tiles.width + x;
      const float* from = pixels + lane * kWinogradOut;
      for (int64_t i = 0; i < count; ++i) to[i] = from[i];
    });
  }
}

constexpr int kKernel = 3, kTaps = kKernel * kKernel;

/// The taps of kLanes kernels, which lie one behind the other: taps[tap] has one lane a kernel.
inline void load_kernels(const float* kernels, int64_t count, bool more_behind, Vector (&taps)[kTaps]) {
#if ATELIER_LANES == 16
  if (count >= kLanes && more_behind) {
    // Rows of 16 numbers turned to columns: 9 of each are a kernel, the rest belongs to the next one.
    float turned[kBlock * kBlock];
    transpose_vectors(kernels, kTaps, turned, kBlock);
    for (int tap = 0; tap < kTaps; ++tap) taps[tap] = load(turned + tap * kBlock);
    return;
  }
#endif
  (void)more_behind;
  float some[kTaps][kLanes] = {};
  for (int64_t i = 0; i < (count < kLanes ? count : kLanes); ++i)
    for (int tap = 0; tap < kTaps; ++tap) some[tap][i] = kernels[i * kTaps + tap];
  for (int tap = 0; tap < kTaps; ++tap) taps[tap] = load(some[tap]);
}

void winograd_kernels(const WinogradKernels& kernels, float* out, int64_t position_stride) {
  for (int64_t i = 0; i < kernels.count; i += kLanes) {
    const int64_t left = kernels.count - i;
    Vector g[kTaps];
    load_kernels(kernels.data + i * kTaps, left, (left - kLanes) * kTaps + kernels.behind >= kTaps, g);
    if (kernels.turned)
      for (int tap = 0; tap < kTaps / 2; ++tap) {
        const Vector other = g[tap];
        g[tap] = g[kTaps - 1 - tap];
        g[kTaps - 1 - tap] = other;
      }
    Vector columns[kKernel][kWinogradIn];  // [x][transformed y]
#pragma GCC unroll 3
    for (int x = 0; x < kKernel; ++x) transform_kernel(g[x], g[kKernel + x], g[2 * kKernel + x], columns[x]);
    Vector u[kWinogradIn][kWinogradIn];
#pragma GCC unroll 6
    for (int y = 0; y < kWinogradIn; ++y) transform_kernel(columns[0][y], columns[1][y], columns[2][y], u[y]);
    const int some = static_cast<int>(left < kLanes ? left : kLanes);
    float* to = out + i;
#pragma GCC unroll 6
    for (int y = 0; y < kWinogradIn; ++y)
#pragma GCC unroll 6
      for (int x = 0; x < kWinogradIn; ++x, to += position_stride) {
        if (some == kLanes)
          store(to, u[y][x]);
        else
          store_some(to, u[y][x], some);
      }
  }
}
