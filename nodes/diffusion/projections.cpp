#include "diffusion/projections.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "diffusion/panel_product.h"
#include "diffusion/recorded.h"
#include "diffusion/task_threads.h"

namespace atelier::diffusion {
namespace {

/// Tokens by channels, [tokens, channels] one behind the other, or as maps [N, channels, pixels].
struct Tokens {
  int64_t tokens, channels;
  int64_t pixels = 0;  // of a map; 0: token by token

  void pack(const float* data, int64_t panel, int64_t k_begin, int64_t k_end, float* out) const {
    const int64_t first = panel * kPanel, count = std::min(kPanel, tokens - first);
    if (count < kPanel) std::fill_n(out, (k_end - k_begin) * kPanel, 0.0F);
    if (pixels == 0) {
      panel_kernels().transpose(data + first * channels + k_begin, channels, count, k_end - k_begin, out, kPanel);
      return;
    }
    for (int64_t column = 0; column < count;) {
      const int64_t picture = (first + column) / pixels, pixel = (first + column) % pixels;
      const int64_t length = std::min(count - column, pixels - pixel);
      for (int64_t k = k_begin; k < k_end; ++k)
        std::copy_n(data + (picture * channels + k) * pixels + pixel, length, out + (k - k_begin) * kPanel + column);
      column += length;
    }
  }

  void store(const float* bias, int64_t row, int64_t rows, int64_t panel, const float* tile, float* out) const {
    const int64_t first = panel * kPanel, count = std::min(kPanel, tokens - first);
    if (pixels == 0) {
      panel_kernels().transpose(tile, kPanel, rows, count, out + first * channels + row, channels);
      if (!bias) return;
      for (int64_t j = 0; j < count; ++j) {
        float* to = out + (first + j) * channels + row;
        for (int64_t r = 0; r < rows; ++r) to[r] += bias[row + r];
      }
      return;
    }
    for (int64_t column = 0; column < count;) {
      const int64_t picture = (first + column) / pixels, pixel = (first + column) % pixels;
      const int64_t length = std::min(count - column, pixels - pixel);
      for (int64_t r = 0; r < rows; ++r) {
        float* to = out + (picture * channels + row + r) * pixels + pixel;
        const float shift = bias ? bias[row + r] : 0.0F;
        for (int64_t j = 0; j < length; ++j) to[j] = tile[r * kPanel + column + j] + shift;
      }
      column += length;
    }
  }
};

const float* data_of(const at::Tensor& tensor) { return tensor.defined() ? tensor.data_ptr<float>() : nullptr; }

/// What a call of project() and its backward pass share.
struct Shared {
  ProjectionInput input;
  std::vector<Projection> projections;  // detached, contiguous, `b` times the scale
  at::Tensor x;                         // detached
  std::vector<at::Tensor> low;          // [r, tokens] of each adapted projection
  int64_t tokens, in;
  std::vector<int64_t> out_shape(const Projection& projection) const;
  Tokens source() const { return {tokens, in, input.maps ? x.size(2) * x.size(3) : 0}; }
  Tokens target(const Projection& p) const {
    return {tokens, p.weight.size(0), input.out_maps.empty() ? 0 : input.out_maps[2] * input.out_maps[3]};
  }
};

std::vector<int64_t> Shared::out_shape(const Projection& projection) const {
  const int64_t out = projection.weight.size(0);
  if (!input.out_maps.empty()) return {input.out_maps[0], out, input.out_maps[2], input.out_maps[3]};
  return {x.size(0), tokens / x.size(0), out};
}

/// x as the projections see it.
at::Tensor prepared(const Shared& shared) {
  const at::Tensor& x = shared.x;
  const ProjectionInput& input = shared.input;
  if (input.before == Before::layer_norm)
    return at::layer_norm(x, {x.size(-1)}, input.norm_weight, input.norm_bias, input.norm_eps);
  if (input.before == Before::nothing) return x;
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = shared.in;
  at::Tensor out = at::empty(shape, x.options());
  const float* from = x.data_ptr<float>();
  float* to = out.data_ptr<float>();
  for_each_task(panels_of(shared.tokens), [&](int64_t panel) {
    for (int64_t t = panel * kPanel; t < std::min((panel + 1) * kPanel, shared.tokens); ++t) {
      const float* halves = from + t * 2 * shared.in;
      panel_kernels().geglu(halves, halves + shared.in, to + t * shared.in, shared.in);
    }
  });
  return out;
}

/// The gradient of x from that of what prepared() gave.
at::Tensor prepared_backward(const Shared& shared, const at::Tensor& gradient) {
  const at::Tensor& x = shared.x;
  const ProjectionInput& input = shared.input;
  if (input.before == Before::nothing) return gradient;
  if (input.before == Before::layer_norm) {
    const auto [y, mean, rstd] =
        at::native_layer_norm(x, {x.size(-1)}, input.norm_weight, input.norm_bias, input.norm_eps);
    return std::get<0>(at::native_layer_norm_backward(gradient, x, {x.size(-1)}, mean, rstd, input.norm_weight,
                                                      input.norm_bias, {true, false, false}));
  }
  at::Tensor x_gradient = at::empty_like(x);
  const float *from = x.data_ptr<float>(), *given = gradient.data_ptr<float>();
  float* to = x_gradient.data_ptr<float>();
  const int64_t in = shared.in;
  for_each_task(panels_of(shared.tokens), [&](int64_t panel) {
    for (int64_t t = panel * kPanel; t < std::min((panel + 1) * kPanel, shared.tokens); ++t)
      panel_kernels().geglu_backward(from + t * 2 * in, from + (t * 2 + 1) * in, given + t * in, to + t * 2 * in,
                                     to + (t * 2 + 1) * in, in);
  });
  return x_gradient;
}

/// Rows of panels [rank, kPanel] from results, and beside them as a matrix [rank, tokens].
StoreTile store_low(float* panels, int64_t rank, float* matrix, int64_t first_panel, int64_t tokens) {
  return [=](int64_t row, int64_t rows, int64_t panel, const float* tile) {
    std::copy_n(tile, rows * kPanel, panels + (panel * rank + row) * kPanel);
    const int64_t column = (first_panel + panel) * kPanel, count = std::min(kPanel, tokens - column);
    for (int64_t r = 0; r < rows; ++r) std::copy_n(tile + r * kPanel, count, matrix + (row + r) * tokens + column);
  };
}

/// Where the panels of each projection's low-rank middle begin in one buffer.
std::vector<int64_t> low_offsets(const Shared& shared, int64_t panels, int64_t& total) {
  std::vector<int64_t> offsets;
  total = 0;
  for (const Projection& p : shared.projections) {
    offsets.push_back(total);
    if (p.a.defined()) total += p.a.size(0) * panels * kPanel;
  }
  return offsets;
}

void forward_panels(Shared& shared, const at::Tensor& x, Tensors& outputs, int64_t first, int64_t panels) {
  const Tokens source = shared.source();
  float* columns = scratch(Scratch::columns, panels * shared.in * kPanel);
  const float* data = x.data_ptr<float>();
  pack(
      panels, shared.in, kHalfPanel,
      [&](int64_t panel, int64_t begin, int64_t end, float* out) { source.pack(data, first + panel, begin, end, out); },
      columns);
  int64_t low_count = 0;
  const std::vector<int64_t> offsets = low_offsets(shared, panels, low_count);
  float* low = scratch(Scratch::low_rank, low_count);
  const Panels right = Panels::packed(columns, shared.in);
  std::vector<PanelResult> lows, results;
  for (size_t i = 0; i < shared.projections.size(); ++i) {
    const Projection& p = shared.projections[i];
    const Tokens target = shared.target(p);
    std::vector<ProductTerm> terms{{LeftFactor::rows_of(p.weight.data_ptr<float>(), shared.in, shared.in), right}};
    if (p.a.defined()) {
      const int64_t rank = p.a.size(0);
      float* middle = low + offsets[i];
      lows.push_back({rank,
                      {{LeftFactor::rows_of(p.a.data_ptr<float>(), shared.in, shared.in), right}},
                      store_low(middle, rank, shared.low[i].data_ptr<float>(), first, shared.tokens)});
      terms.push_back({LeftFactor::rows_of(p.b.data_ptr<float>(), rank, rank), Panels::packed(middle, rank)});
    }
    float* out = outputs[i].data_ptr<float>();
    const float* bias = data_of(p.bias);
    results.push_back(
        {target.channels, std::move(terms), [=](int64_t row, int64_t rows, int64_t panel, const float* tile) {
           target.store(bias, row, rows, first + panel, tile, out);
         }});
  }
  const int64_t count = std::min(panels * kPanel, shared.tokens - first * kPanel);
  if (!lows.empty()) compute(lows, count);
  compute(results, count);
}

/// The gradients of the prepared input (where `out` is given) and of the low-rank middles, `low_gradients` [r, tokens].
void backward_panels(const Shared& shared, const Tensors& gradients, const Tensors& low_gradients, float* out,
                     int64_t first, int64_t panels) {
  int64_t total = 0, low_count = 0;
  for (size_t i = 0; i < gradients.size(); ++i)
    if (gradients[i].defined()) total += shared.projections[i].weight.size(0);
  const std::vector<int64_t> offsets = low_offsets(shared, panels, low_count);
  float* columns = scratch(Scratch::columns, total * panels * kPanel);
  float* low = scratch(Scratch::low_rank, low_count);
  std::vector<PanelResult> lows;
  std::vector<ProductTerm> terms;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) continue;
    const Projection& p = shared.projections[i];
    const Tokens target = shared.target(p);
    const int64_t channels = target.channels;
    const float* data = gradients[i].data_ptr<float>();
    pack(
        panels, channels, kHalfPanel,
        [&](int64_t panel, int64_t begin, int64_t end, float* to) { target.pack(data, first + panel, begin, end, to); },
        columns);
    const Panels right = Panels::packed(columns, channels);
    terms.push_back({LeftFactor::columns_of(p.weight.data_ptr<float>(), shared.in), right});
    if (p.a.defined()) {
      const int64_t rank = p.a.size(0);
      float* middle = low + offsets[i];
      lows.push_back({rank,
                      {{LeftFactor::columns_of(p.b.data_ptr<float>(), rank), right}},
                      store_low(middle, rank, low_gradients[i].data_ptr<float>(), first, shared.tokens)});
      terms.push_back({LeftFactor::columns_of(p.a.data_ptr<float>(), shared.in), Panels::packed(middle, rank)});
    }
    columns += channels * panels * kPanel;
  }
  const int64_t count = std::min(panels * kPanel, shared.tokens - first * kPanel);
  if (!lows.empty()) compute(lows, count);
  if (!out) return;
  const Tokens source = shared.source();
  const PanelResult result{shared.in, std::move(terms),
                           [=](int64_t row, int64_t rows, int64_t panel, const float* tile) {
                             source.store(nullptr, row, rows, first + panel, tile, out);
                           }};
  compute({&result, 1}, count);
}

/// left [rows, tokens] times right, [tokens, channels] or maps: [rows, channels].
at::Tensor times_tokens(const at::Tensor& left, const at::Tensor& right, const Tokens& layout) {
  if (layout.pixels > 0) {
    const int64_t count = layout.tokens / layout.pixels;
    const at::Tensor pictures = right.reshape({count, layout.channels, layout.pixels});
    at::Tensor sum = at::mm(left.narrow(1, 0, layout.pixels), pictures[0].t());
    for (int64_t n = 1; n < count; ++n) sum.addmm_(left.narrow(1, n * layout.pixels, layout.pixels), pictures[n].t());
    return sum;
  }
  if (layout.channels % kHalfPanel != 0) return at::mm(left, right.reshape({layout.tokens, layout.channels}));
  const int64_t rows = left.size(0), tokens = layout.tokens, channels = layout.channels;
  at::Tensor product = at::empty({rows, channels}, left.options());
  float* out = product.data_ptr<float>();
  const PanelResult result{rows,
                           {{LeftFactor::rows_of(left.data_ptr<float>(), tokens, tokens),
                             Panels::of_matrix(right.data_ptr<float>(), tokens, channels)}},
                           [=](int64_t row, int64_t count, int64_t panel, const float* tile) {
                             const int64_t columns = std::min(kPanel, channels - panel * kPanel);
                             for (int64_t r = 0; r < count; ++r)
                               std::copy_n(tile + r * kPanel, columns, out + (row + r) * channels + panel * kPanel);
                           }};
  compute({&result, 1}, channels);
  return product;
}

Tensors inputs_of(const at::Tensor& x, const std::vector<Projection>& projections) {
  Tensors inputs{x};
  for (const Projection& p : projections) {
    inputs.push_back(p.a);
    inputs.push_back(p.b);
  }
  return inputs;
}

/// The gradients of inputs_of().
Tensors backward(const Shared& shared, Tensors gradients, bool input_wanted) {
  int64_t longest = 0;
  Tensors low_gradients;
  for (size_t i = 0; i < gradients.size(); ++i) {
    low_gradients.push_back(shared.low[i].defined() ? at::empty_like(shared.low[i]) : at::Tensor());
    if (!gradients[i].defined()) continue;
    gradients[i] = gradients[i].contiguous();
    longest += gradients[i].numel() / shared.tokens;
  }
  if (longest == 0) return Tensors(1 + 2 * gradients.size());
  const at::Tensor z = prepared(shared);
  const at::Tensor z_gradient = input_wanted ? at::empty_like(z) : at::Tensor();
  const int64_t panels = panels_of(shared.tokens), together = panels_at_once(longest);
  for (int64_t first = 0; first < panels; first += together)
    backward_panels(shared, gradients, low_gradients, input_wanted ? z_gradient.data_ptr<float>() : nullptr, first,
                    std::min(together, panels - first));
  Tensors found{input_wanted ? prepared_backward(shared, z_gradient) : at::Tensor()};
  for (size_t i = 0; i < gradients.size(); ++i) {
    const Projection& p = shared.projections[i];
    const bool adapted = gradients[i].defined() && p.a.defined();
    found.push_back(adapted ? times_tokens(low_gradients[i], z, shared.source()) : at::Tensor());
    found.push_back(adapted ? times_tokens(shared.low[i], gradients[i], shared.target(p)).mul_(p.scale).t().contiguous()
                            : at::Tensor());
  }
  return found;
}

}  // namespace

std::vector<at::Tensor> project(const at::Tensor& x, const ProjectionInput& input,
                                const std::vector<Projection>& projections) {
  const auto shared = std::make_shared<Shared>();
  Tensors outputs;
  {
    const at::NoGradGuard no_grad;
    shared->input = input;
    shared->in = projections.front().weight.size(1);
    shared->x = x.detach().contiguous();
    shared->tokens = input.maps ? x.size(0) * x.size(2) * x.size(3) : x.size(0) * x.size(1);
    for (Projection p : projections) {
      if (p.a.defined()) {
        p.a = p.a.detach().contiguous();
        p.b = p.b.detach() * p.scale;
      }
      shared->low.push_back(p.a.defined() ? at::empty({p.a.size(0), shared->tokens}, x.options()) : at::Tensor());
      outputs.push_back(at::empty(shared->out_shape(p), x.options()));
      shared->projections.push_back(std::move(p));
    }
    const at::Tensor z = prepared(*shared);
    const int64_t panels = panels_of(shared->tokens), together = panels_at_once(shared->in);
    for (int64_t first = 0; first < panels; first += together)
      forward_panels(*shared, z, outputs, first, std::min(together, panels - first));
  }
  const Tensors inputs = inputs_of(x, projections);
  if (wants_gradient(inputs))
    record("Projections", inputs, outputs, [shared, wanted = x.requires_grad()](Tensors gradients) {
      return backward(*shared, std::move(gradients), wanted);
    });
  return outputs;
}

}  // namespace atelier::diffusion
