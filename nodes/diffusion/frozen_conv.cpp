#include "diffusion/frozen_conv.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>

#include "diffusion/panel_product.h"
#include "diffusion/recorded.h"
#include "diffusion/winograd_conv.h"

namespace atelier::diffusion {
namespace {

struct Geometry {
  int64_t kernel_height, kernel_width, stride, padding;
  int64_t taps() const { return kernel_height * kernel_width; }
  bool keeps_size() const { return kernel_height == 3 && kernel_width == 3 && stride == 1 && padding == 1; }
};

/// A run of a panel's columns that are neighbours in the source too.
struct Run {
  int64_t column, source, length;
};

/// The columns of one panel at one tap of the kernel: runs to copy, zeros elsewhere. Sources are offsets from channel
/// 0.
struct PanelRuns {
  std::array<Run, kPanel> runs;
  int64_t count = 0;
  bool whole() const { return count == 1 && runs[0].length == kPanel; }

  void add(int64_t column, int64_t source) {
    if (count > 0) {
      Run& last = runs[static_cast<size_t>(count - 1)];
      if (last.column + last.length == column && last.source + last.length == source) {
        ++last.length;
        return;
      }
    }
    runs[static_cast<size_t>(count++)] = {column, source, 1};
  }
};

/// Where in the source the target's pixel finds what the kernel's tap multiplies; false: nowhere, it is padding.
/// Forward the source is the input; backward it is the output's gradient.
template <bool forward>
bool source_of(const Geometry& g, const Maps& source, int64_t tap, int64_t y, int64_t x, int64_t& at) {
  const int64_t tap_y = tap / g.kernel_width, tap_x = tap % g.kernel_width;
  int64_t source_y, source_x;
  if constexpr (forward) {
    source_y = y * g.stride - g.padding + tap_y;
    source_x = x * g.stride - g.padding + tap_x;
  } else {
    source_y = y + g.padding - tap_y;
    source_x = x + g.padding - tap_x;
    if (source_y < 0 || source_x < 0 || source_y % g.stride != 0 || source_x % g.stride != 0) return false;
    source_y /= g.stride;
    source_x /= g.stride;
  }
  if (source_y < 0 || source_y >= source.height || source_x < 0 || source_x >= source.width) return false;
  at = source_y * source.width + source_x;
  return true;
}

template <bool forward>
PanelRuns runs_of(const Geometry& g, const Maps& source, const Maps& target, int64_t tap, int64_t panel) {
  PanelRuns found;
  const int64_t first = panel * kPanel, last = std::min(first + kPanel, target.columns());
  for (int64_t column = first; column < last; ++column) {
    const int64_t picture = column / target.pixels(), pixel = column % target.pixels();
    int64_t at = 0;
    if (source_of<forward>(g, source, tap, pixel / target.width, pixel % target.width, at))
      found.add(column - first, picture * source.channels * source.pixels() + at);
  }
  return found;
}

/// Rows [k_begin, k_end) of a panel, ordered as the weights are: channels, then taps.
template <bool forward>
void pack_patches(const Geometry& g, const Maps& source, const Maps& target, const float* data, int64_t panel,
                  int64_t k_begin, int64_t k_end, float* out) {
  const int64_t taps = g.taps(), first = k_begin / taps, last = k_end / taps;
  for (int64_t tap = 0; tap < taps; ++tap) {
    const PanelRuns runs = runs_of<forward>(g, source, target, tap, panel);
    const bool whole = runs.whole();
    for (int64_t c = first; c < last; ++c) {
      const float* from = data + c * source.pixels();
      float* to = out + ((c - first) * taps + tap) * kPanel;
      if (whole) {
        std::copy_n(from + runs.runs[0].source, kPanel, to);
        continue;
      }
      std::fill_n(to, kPanel, 0.0F);
      for (int64_t i = 0; i < runs.count; ++i) {
        const Run& run = runs.runs[static_cast<size_t>(i)];
        for (int64_t j = 0; j < run.length; ++j) to[run.column + j] = from[run.source + j];
      }
    }
  }
}

/// Writes a tile of channels and columns into maps, the bias added.
void store_maps(const Maps& maps, const float* bias, int64_t row, int64_t rows, int64_t panel, const float* tile,
                float* out) {
  const int64_t first = panel * kPanel, last = std::min(first + kPanel, maps.columns());
  for (int64_t column = first; column < last;) {
    const int64_t picture = column / maps.pixels(), pixel = column % maps.pixels();
    const int64_t length = std::min(last - column, maps.pixels() - pixel);
    for (int64_t r = 0; r < rows; ++r) {
      float* to = out + (picture * maps.channels + row + r) * maps.pixels() + pixel;
      const float* from = tile + r * kPanel + (column - first);
      const float shift = bias ? bias[row + r] : 0.0F;
      for (int64_t j = 0; j < length; ++j) to[j] = from[j] + shift;
    }
    column += length;
  }
}

/// target = left (the weights, or their transpose) times the source's patches.
template <bool forward>
void convolve(const Geometry& g, const LeftFactor& left, const Maps& source, const float* data, const Maps& target,
              const float* bias, float* out) {
  const int64_t k = source.channels * g.taps(), panels = panels_of(target.columns()), together = panels_at_once(k);
  float* columns = scratch(Scratch::columns, std::min(together, panels) * k * kPanel);
  for (int64_t first = 0; first < panels; first += together) {
    const int64_t now = std::min(together, panels - first);
    pack(
        now, k, g.taps(),
        [&](int64_t panel, int64_t k_begin, int64_t k_end, float* to) {
          pack_patches<forward>(g, source, target, data, first + panel, k_begin, k_end, to);
        },
        columns);
    const PanelResult result{target.channels,
                             {{left, Panels::packed(columns, k)}},
                             [&](int64_t row, int64_t rows, int64_t panel, const float* tile) {
                               store_maps(target, bias, row, rows, first + panel, tile, out);
                             }};
    compute({&result, 1}, std::min(target.columns() - first * kPanel, now * kPanel));
  }
}

Maps maps_of(const at::Tensor& x) { return {x.size(0), x.size(1), x.size(2), x.size(3)}; }

void convolve_forward(const Geometry& g, const at::Tensor& weight, const Maps& in, const float* data,
                      const at::Tensor& bias, const Maps& out, float* to) {
  const float *weights = weight.data_ptr<float>(), *biases = bias.defined() ? bias.data_ptr<float>() : nullptr;
  if (g.keeps_size() && winograd_pays(in))
    return winograd_convolve(Direction::forward, in, data, weights, biases, out, to);
  const int64_t k = in.channels * g.taps();
  convolve<true>(g, LeftFactor::rows_of(weights, k, k), in, data, out, biases, to);
}

/// The gradient of the input `in` from the output's.
void convolve_backward(const Geometry& g, const at::Tensor& weight, const Maps& out, const float* gradient,
                       const Maps& in, float* to) {
  const float* weights = weight.data_ptr<float>();
  if (g.keeps_size() && winograd_pays(in))
    return winograd_convolve(Direction::backward, out, gradient, weights, nullptr, in, to);
  convolve<false>(g, {weights, g.taps(), g.taps(), in.channels * g.taps()}, out, gradient, in, nullptr, to);
}

}  // namespace

at::Tensor frozen_conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                         int64_t padding) {
  const Geometry g{weight.size(2), weight.size(3), stride, padding};
  const Maps in = maps_of(x);
  const Maps out{in.count, weight.size(0), (in.height + 2 * padding - g.kernel_height) / stride + 1,
                 (in.width + 2 * padding - g.kernel_width) / stride + 1};
  Tensors outputs;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor input = x.contiguous();
    at::Tensor y = at::empty({out.count, out.channels, out.height, out.width}, input.options());
    convolve_forward(g, weight, in, input.data_ptr<float>(), bias, out, y.data_ptr<float>());
    outputs = {y};
  }
  if (wants_gradient({x}))
    record("FrozenConv2d", {x}, outputs, [=](Tensors gradients) -> Tensors {
      if (!gradients[0].defined()) return {at::Tensor()};
      const at::Tensor gradient = gradients[0].contiguous();
      at::Tensor x_gradient = at::empty({in.count, in.channels, in.height, in.width}, gradient.options());
      convolve_backward(g, weight, out, gradient.data_ptr<float>(), in, x_gradient.data_ptr<float>());
      return {x_gradient};
    });
  return outputs[0];
}

}  // namespace atelier::diffusion
