#include "diffusion/winograd_conv.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "diffusion/panel_product.h"
#include "diffusion/task_threads.h"

namespace atelier::diffusion {
namespace {

/// What a task transforms of the weights at a time: rows of the left factors, and of their k.
struct Slice {
  int64_t rows, k;
};
// Long sums, where there are columns enough to read the transformed weights more than once; else what the second cache
// holds, since they are read only once.
constexpr Slice kLongSlice{48, 640}, kCachedSlice{96, 64};
constexpr int64_t kApart = 16;  // between positions, which would else meet in the caches' sets
constexpr int64_t kTransformedBytes = int64_t{16} << 20;
constexpr int64_t kMinPanelsAtOnce = 4;
constexpr int64_t kMaxPanelsAtOnce = 32;
constexpr int64_t kPanelsInTask = 8;
constexpr int64_t kChannelsInTask = 16;
constexpr int64_t kTasksPerThread = 4;  // so that threads end at about the same time

constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t tiles_of(const Maps& maps) {
  return divide_up(maps.height, kWinogradOut) * divide_up(maps.width, kWinogradOut);
}
int64_t blocks_of(const Maps& maps) { return divide_up(tiles_of(maps), kHalfPanel); }

/// One call: every panel holds two blocks of tiles, a block those of one picture.
struct Convolution {
  Direction direction;
  Maps from, to;
  const float *data, *weight, *bias;
  float* out;
  Slice slice;

  int64_t blocks() const { return from.count * blocks_of(from); }
  int64_t panels() const { return divide_up(blocks(), 2); }
  int64_t position_stride() const { return from.channels * kPanel + kApart; }
  int64_t panel_stride() const { return kWinogradPositions * position_stride(); }

  WinogradTiles tiles(int64_t block) const {
    const int64_t first = block % blocks_of(from) * kHalfPanel;
    return {from.height, from.width, first, std::min(kHalfPanel, tiles_of(from) - first)};
  }
  int64_t map(const Maps& maps, int64_t block, int64_t channel) const {
    return (block / blocks_of(from) * maps.channels + channel) * maps.pixels();
  }
};

/// Some panels' inputs, transformed: [panel][position][channel][kPanel].
void transform_inputs(const Convolution& call, int64_t first_panel, int64_t panels, float* out) {
  const int64_t parts = divide_up(call.from.channels, kChannelsInTask);
  for_each_task(panels * parts, [&](int64_t task) {
    const int64_t panel = task / parts, begin = task % parts * kChannelsInTask;
    const int64_t end = std::min(begin + kChannelsInTask, call.from.channels);
    for (int64_t half = 0; half < 2; ++half) {
      const int64_t block = (first_panel + panel) * 2 + half;
      if (block >= call.blocks()) continue;
      const WinogradTiles tiles = call.tiles(block);
      for (int64_t c = begin; c < end; ++c)
        panel_kernels().winograd_input(tiles, call.data + call.map(call.from, block, c),
                                       out + panel * call.panel_stride() + c * kPanel + half * kHalfPanel,
                                       call.position_stride());
    }
  });
}

/// Weights of some rows and a slice of k, transformed, as the left factors of the positions.
struct LeftFactors {
  const float* data;
  int64_t stride, position_stride;
  Direction direction;

  LeftFactor at(int64_t position) const {
    const float* left = data + position * position_stride;
    return direction == Direction::forward ? LeftFactor::rows_of(left, stride, stride)
                                           : LeftFactor::columns_of(left, stride);
  }
};

LeftFactors transform_weights(const Convolution& call, int64_t row, int64_t rows, int64_t k_begin, int64_t k_count) {
  const bool forward = call.direction == Direction::forward;
  // The kernels of one output channel lie together. Its inputs are k forward, and rows backward.
  const int64_t outs = forward ? rows : k_count, ins = forward ? k_count : rows;
  const int64_t first_out = forward ? row : k_begin, first_in = forward ? k_begin : row;
  const int64_t all_outs = forward ? call.to.channels : call.from.channels;
  const int64_t all_ins = forward ? call.from.channels : call.to.channels;
  const int64_t stride = forward ? call.slice.k : call.slice.rows;
  const int64_t position_stride = call.slice.rows * call.slice.k + kApart;
  float* factors = scratch(Scratch::left, kWinogradPositions * position_stride);
  constexpr int64_t kTaps = 9;
  for (int64_t o = 0; o < outs; ++o) {
    const int64_t at = (first_out + o) * all_ins + first_in, behind = all_outs * all_ins - at - ins;
    panel_kernels().winograd_kernels({call.weight + at * kTaps, ins, behind * kTaps, !forward}, factors + o * stride,
                                     position_stride);
  }
  return {factors, stride, position_stride, call.direction};
}

/// The products of one task: [panel][position][row][kPanel].
struct Products {
  float* data;
  int64_t rows;
  float* at(int64_t panel, int64_t position, int64_t row) const {
    return data + ((panel * kWinogradPositions + position) * rows + row) * kPanel;
  }
};

int64_t columns_of(const Convolution& call, int64_t panel) {
  return panel * 2 + 1 < call.blocks() ? kPanel : kHalfPanel;
}

/// Rows [row, row + rows) of the result at some panels, whose inputs begin at `transformed`.
void compute_rows(const Convolution& call, int64_t row, int64_t rows, int64_t first_panel, int64_t panels,
                  const float* transformed) {
  const PanelKernels& kernels = panel_kernels();
  const Products products{scratch(Scratch::tile, panels * kWinogradPositions * rows * kPanel), rows};
  for (int64_t begin = 0; begin < call.from.channels; begin += call.slice.k) {
    const int64_t count = std::min(call.slice.k, call.from.channels - begin);
    const LeftFactors left = transform_weights(call, row, rows, begin, count);
    for (int64_t position = 0; position < kWinogradPositions; ++position)
      for (int64_t r = 0; r < rows; r += kernels.rows_at_once)
        for (int64_t panel = 0; panel < panels; ++panel)
          kernels.multiply(
              {.left = left.at(position).from_row(r),
               .rows = std::min(kernels.rows_at_once, rows - r),
               .k_begin = 0,
               .k_end = count,
               .panel = transformed + panel * call.panel_stride() + position * call.position_stride() + begin * kPanel,
               .panel_stride = kPanel,
               .columns = columns_of(call, first_panel + panel),
               .out = products.at(panel, position, r),
               .out_stride = kPanel,
               .accumulate = begin > 0});
  }
  for (int64_t panel = 0; panel < panels; ++panel)
    for (int64_t half = 0; half < columns_of(call, first_panel + panel) / kHalfPanel; ++half) {
      const int64_t block = (first_panel + panel) * 2 + half;
      const WinogradTiles tiles = call.tiles(block);
      for (int64_t r = 0; r < rows; ++r)
        kernels.winograd_output(tiles, products.at(panel, 0, r) + half * kHalfPanel, rows * kPanel,
                                call.bias ? call.bias[row + r] : 0.0F, call.out + call.map(call.to, block, row + r));
    }
}

}  // namespace

bool winograd_pays(const Maps& maps) {
  // In products of one row and one channel: a transformation of the weights takes as long as kWeights of them.
  constexpr int64_t kWeights = 192, kTaps = 9;
  const int64_t products = blocks_of(maps) * kHalfPanel * kWinogradPositions + kWeights;
  return 4 * products < 3 * maps.pixels() * kTaps;
}

void winograd_convolve(Direction direction, const Maps& from, const float* data, const float* weight, const float* bias,
                       const Maps& to, float* out) {
  const Slice slice = blocks_of(from) > 1 ? kLongSlice : kCachedSlice;
  const Convolution call{direction, from, to, data, weight, bias, out, slice};
  const int64_t panels = call.panels(), panel_bytes = call.panel_stride() * static_cast<int64_t>(sizeof(float));
  const int64_t together = std::clamp(kTransformedBytes / panel_bytes, kMinPanelsAtOnce, kMaxPanelsAtOnce);
  const int64_t row_tasks = divide_up(to.channels, slice.rows);
  for (int64_t first = 0; first < panels; first += together) {
    const int64_t now = std::min(together, panels - first);
    float* transformed = scratch(Scratch::columns, now * call.panel_stride());
    transform_inputs(call, first, now, transformed);
    // Every part of the panels transforms the weights again, so no more parts than keep the threads busy.
    const int64_t wanted = divide_up(kTasksPerThread * at::get_num_threads(), row_tasks);
    const int64_t part = std::min(kPanelsInTask, divide_up(now, wanted)), parts = divide_up(now, part);
    for_each_task(row_tasks * parts, [&](int64_t task) {
      const int64_t row = task / parts * slice.rows, panel = task % parts * part;
      compute_rows(call, row, std::min(slice.rows, to.channels - row), first + panel, std::min(part, now - panel),
                   transformed + panel * call.panel_stride());
    });
  }
}

}  // namespace atelier::diffusion
