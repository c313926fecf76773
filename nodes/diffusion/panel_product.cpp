#include "diffusion/panel_product.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <new>

#include "diffusion/task_threads.h"

namespace atelier::diffusion {
namespace {

constexpr int64_t kTilesInGroup = 4;  // row tiles that share a slice of the panels while it is in the first caches
constexpr int64_t kSlice = 576;       // of k; 64 times a 3x3 kernel
constexpr int64_t kPanelsInTask = 16;
constexpr int64_t kTasksPerThread = 4;  // so that threads end at about the same time
constexpr int64_t kPackedBytes = int64_t{4} << 20;
constexpr int64_t kMinPanelsAtOnce = 4;
constexpr int64_t kMaxPanelsAtOnce = 64;

struct Task {
  const PanelResult* result;
  int64_t row, rows;
  int64_t panel, panels;
};

int64_t columns_of(int64_t panel, int64_t columns) {
  return columns - panel * kPanel > kHalfPanel ? kPanel : kHalfPanel;
}

/// Columns of a left factor, [k, rows], copied one behind the other: they lie a whole row apart where they come from.
LeftFactor pack_left(const LeftFactor& left, int64_t rows, int64_t k_begin, int64_t k_end, int64_t stride) {
  float* packed = scratch(Scratch::left, kSlice * stride);
  for (int64_t k = k_begin; k < k_end; ++k)
    std::copy_n(left.data + k * left.outer_stride, rows, packed + (k - k_begin) * stride);
  // As if it began at k 0.
  return LeftFactor::columns_of(packed - k_begin * stride, stride);
}

void run(const Task& task, int64_t columns) {
  const PanelKernels& kernels = panel_kernels();
  const int64_t tile_rows = kernels.rows_at_once, group = tile_rows * kTilesInGroup;
  float* tiles = scratch(Scratch::tile, kPanelsInTask * group * kPanel);
  bool accumulate = false;
  for (const ProductTerm& term : task.result->terms) {
    const int64_t unit = term.left.outer_stride == 0 ? 1 : term.left.inner;
    const int64_t slice = std::max<int64_t>(1, kSlice / unit) * unit;
    for (int64_t begin = 0; begin < term.right.k; begin += slice) {
      const int64_t end = std::min(term.right.k, begin + slice);
      LeftFactor left = term.left.from_row(task.row);
      if (left.outer_stride != 0 && left.inner == 1 && left.row_stride == 1 && task.panels > 1)
        left = pack_left(left, task.rows, begin, end, group);
      for (int64_t row = 0; row < task.rows; row += tile_rows)
        for (int64_t p = 0; p < task.panels; ++p) {
          const int64_t panel = task.panel + p;
          kernels.multiply({.left = left.from_row(row),
                            .rows = std::min(tile_rows, task.rows - row),
                            .k_begin = begin,
                            .k_end = end,
                            .panel = term.right.data + panel * term.right.step + begin * term.right.stride,
                            .panel_stride = term.right.stride,
                            .columns = columns_of(panel, columns),
                            .out = tiles + (p * group + row) * kPanel,
                            .out_stride = kPanel,
                            .accumulate = accumulate});
        }
      accumulate = true;
    }
  }
  for (int64_t p = 0; p < task.panels; ++p)
    task.result->store(task.row, task.rows, task.panel + p, tiles + p * group * kPanel);
}

}  // namespace

float* scratch(Scratch slot, int64_t count) {
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  struct Buffer {
    std::unique_ptr<float, Free> memory;
    int64_t count = 0;
  };
  thread_local std::array<Buffer, 5> buffers;
  Buffer& buffer = buffers[static_cast<size_t>(slot)];
  if (buffer.count < count) {
    constexpr size_t kAlignment = 64;
    const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
    buffer.memory.reset(static_cast<float*>(std::aligned_alloc(kAlignment, bytes)));
    if (!buffer.memory) throw std::bad_alloc();
    buffer.count = count;
  }
  return buffer.memory.get();
}

int64_t panels_at_once(int64_t k) {
  const int64_t panel_bytes = k * kPanel * static_cast<int64_t>(sizeof(float));
  return std::clamp<int64_t>(kPackedBytes / panel_bytes, kMinPanelsAtOnce, kMaxPanelsAtOnce);
}

void pack(int64_t panels, int64_t k, int64_t k_unit, const PackPanel& pack_panel, float* out) {
  // Parts of panels, where there are fewer panels than threads.
  const int64_t wanted = kTasksPerThread * at::get_num_threads();
  const int64_t units = (k + k_unit - 1) / k_unit;
  const int64_t parts = std::clamp<int64_t>((wanted + panels - 1) / panels, 1, units);
  const int64_t part = (units + parts - 1) / parts * k_unit;
  for_each_task(panels * parts, [&](int64_t i) {
    const int64_t panel = i / parts, begin = i % parts * part, end = std::min(k, begin + part);
    if (begin < end) pack_panel(panel, begin, end, out + (panel * k + begin) * kPanel);
  });
}

void compute(std::span<const PanelResult> results, int64_t columns) {
  const int64_t group = panel_kernels().rows_at_once * kTilesInGroup, panels = panels_of(columns);
  int64_t row_groups = 0;
  for (const PanelResult& result : results) row_groups += (result.rows + group - 1) / group;
  const int64_t wanted = kTasksPerThread * at::get_num_threads();
  const int64_t splits = std::clamp<int64_t>((wanted + row_groups - 1) / row_groups, 1, panels);
  const int64_t together = std::min(kPanelsInTask, (panels + splits - 1) / splits);
  std::vector<Task> tasks;
  for (const PanelResult& result : results)
    for (int64_t row = 0; row < result.rows; row += group)
      for (int64_t panel = 0; panel < panels; panel += together)
        tasks.push_back({&result, row, std::min(group, result.rows - row), panel, std::min(together, panels - panel)});
  for_each_task(static_cast<int64_t>(tasks.size()), [&](int64_t i) { run(tasks[static_cast<size_t>(i)], columns); });
}

}  // namespace atelier::diffusion
