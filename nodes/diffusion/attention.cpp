#include "diffusion/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>

#include "diffusion/panel_kernels.h"
#include "diffusion/panel_product.h"
#include "diffusion/recorded.h"
#include "diffusion/task_threads.h"

namespace atelier::diffusion {
namespace {

constexpr int64_t kMaxScores = int64_t{64} << 20;  // elements; 256 MB in float32
constexpr int64_t kPanelsInTask = 16;              // 512 queries
constexpr int64_t kMaxBlockWidth = 512;            // of a head, for the kernels

// ---- with libtorch's operations

/// q [B*h, n, d], k and v [B*h, M, d]. bmm, not baddbmm: torch 1.13's baddbmm may read uninitialised memory at beta 0.
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& mask,
                  ScorePrecision precision) {
  const bool wide = precision == ScorePrecision::float32;
  at::Tensor scores =
      wide ? at::bmm(q.to(at::kFloat), k.to(at::kFloat).transpose(1, 2)) : at::bmm(q, k.transpose(1, 2));
  if (mask.defined()) scores = scores + mask;
  return at::bmm(at::softmax(scores, -1).to(v.scalar_type()), v);
}

at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  const int64_t batch = x.size(0), length = x.size(1), width = x.size(2) / heads;
  return x.view({batch, length, heads, width}).transpose(1, 2).reshape({batch * heads, length, width});
}

at::Tensor join_heads(const at::Tensor& x, int64_t heads) {
  const int64_t batch = x.size(0) / heads, length = x.size(1), width = x.size(2);
  return x.view({batch, heads, length, width}).transpose(1, 2).reshape({batch, length, heads * width});
}

at::Tensor plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads,
                           const at::Tensor& mask, ScorePrecision precision) {
  const int64_t length = q.size(1), width = q.size(2) / heads;
  const at::Tensor queries = split_heads(q * (1.0 / std::sqrt(static_cast<double>(width))), heads);
  const at::Tensor keys = split_heads(k, heads), values = split_heads(v, heads);
  const int64_t row = queries.size(0) * keys.size(1);
  const int64_t slice = std::max<int64_t>(1, kMaxScores / std::max<int64_t>(1, row));
  if (slice >= length || at::GradMode::is_enabled() || mask.defined())
    return join_heads(attend(queries, keys, values, mask, precision), heads);
  at::Tensor out = at::empty_like(queries);  // [B*h, N, d]
  for (int64_t at = 0; at < length; at += slice) {
    const int64_t n = std::min(slice, length - at);
    out.narrow(1, at, n).copy_(attend(queries.narrow(1, at, n), keys, values, mask, precision));
  }
  return join_heads(out, heads);
}

#if TORCH_VERSION_MAJOR >= 2
at::Tensor fused_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads) {
  const auto split = [&](const at::Tensor& x) {
    return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  };
  return at::scaled_dot_product_attention(split(q), split(k), split(v)).transpose(1, 2).reshape(q.sizes());
}
#endif

// ---- by blocks

/// Saved between the passes: [B, h, tokens, d] each, so that a head is one matrix.
struct Heads {
  at::Tensor q, k, v, out;
  at::Tensor log_sum;  // [B, h, N]
  float scale;

  int64_t count() const { return q.size(0) * q.size(1); }
  int64_t queries() const { return q.size(2); }
  int64_t keys() const { return k.size(2); }
  int64_t width() const { return q.size(3); }
  int64_t padded_width() const { return (width() + kHalfPanel - 1) / kHalfPanel * kHalfPanel; }

  AttentionHead head(int64_t i) const {
    return {.q = q.data_ptr<float>() + i * queries() * width(),
            .k = k.data_ptr<float>() + i * keys() * width(),
            .v = v.data_ptr<float>() + i * keys() * width(),
            .queries = queries(),
            .keys = keys(),
            .width = width(),
            .scale = scale};
  }
};

at::Tensor heads_of(const at::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2).contiguous();
}

at::Tensor tokens_of(const at::Tensor& x) { return x.transpose(1, 2).flatten(2); }

at::Tensor attend_blocks(Heads& heads) {
  heads.out = at::empty_like(heads.q);
  heads.log_sum = at::empty({heads.q.size(0), heads.q.size(1), heads.queries()}, heads.q.options());
  float *out = heads.out.data_ptr<float>(), *log_sum = heads.log_sum.data_ptr<float>();
  // Heads, and parts of their queries, are the threads' work.
  const int64_t panels = panels_of(heads.queries());
  const int64_t parts = (panels + kPanelsInTask - 1) / kPanelsInTask;
  for_each_task(heads.count() * parts, [&](int64_t task) {
    const int64_t i = task / parts, begin = task % parts * kPanelsInTask * kPanel;
    AttentionHead head = heads.head(i);
    head.q += begin * head.width;
    head.queries = std::min(kPanelsInTask * kPanel, heads.queries() - begin);
    const int64_t first = i * heads.queries() + begin;
    panel_kernels().attend(head, out + first * head.width, log_sum + first);
  });
  return tokens_of(heads.out);
}

Tensors attend_blocks_backward(const Heads& heads, const at::Tensor& out_gradient) {
  const int64_t width = heads.width(), padded = heads.padded_width(), keys = heads.keys();
  const at::Tensor given = heads_of(out_gradient.contiguous(), heads.q.size(1));
  const at::Tensor delta = (given * heads.out).sum(-1);  // [B, h, N]
  const at::Tensor q_gradient = at::empty_like(heads.q);
  const std::vector<int64_t> shape{heads.k.size(0), heads.k.size(1), keys, padded};
  const at::Tensor k_gradient = at::empty(shape, heads.q.options()), v_gradient = at::empty(shape, heads.q.options());
  float *to_q = q_gradient.data_ptr<float>(), *to_k = k_gradient.data_ptr<float>(),
        *to_v = v_gradient.data_ptr<float>();
  const float *from = given.data_ptr<float>(), *deltas = delta.data_ptr<float>();
  const float* log_sums = heads.log_sum.data_ptr<float>();
  for_each_task(heads.count(), [&](int64_t i) {
    const int64_t queries = i * heads.queries();
    panel_kernels().attend_backward(heads.head(i), {.out_gradient = from + queries * width,
                                                    .log_sum = log_sums + queries,
                                                    .delta = deltas + queries,
                                                    .q = to_q + queries * width,
                                                    .k = to_k + i * keys * padded,
                                                    .v = to_v + i * keys * padded});
  });
  return {tokens_of(q_gradient), tokens_of(k_gradient.narrow(3, 0, width)), tokens_of(v_gradient.narrow(3, 0, width))};
}

at::Tensor block_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads) {
  Heads split;
  Tensors outputs;
  {
    const at::NoGradGuard no_grad;
    split = {heads_of(q.contiguous(), heads),
             heads_of(k.contiguous(), heads),
             heads_of(v.contiguous(), heads),
             {},
             {},
             1.0F / std::sqrt(static_cast<float>(q.size(2) / heads))};
    outputs = {attend_blocks(split)};
  }
  if (wants_gradient({q, k, v}))
    record("BlockAttention", {q, k, v}, outputs, [split](Tensors gradients) -> Tensors {
      if (!gradients[0].defined()) return Tensors(3);
      return attend_blocks_backward(split, gradients[0]);
    });
  return outputs[0];
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads,
                     const at::Tensor& mask, ScorePrecision scores) {
  const bool on_cpu = q.is_cpu() && q.scalar_type() == at::kFloat;
  if (on_cpu && !mask.defined() && q.size(2) / heads <= kMaxBlockWidth) return block_attention(q, k, v, heads);
#if TORCH_VERSION_MAJOR >= 2
  // Its kernels sum and take the softmax in float32 whatever the inputs are.
  if (q.is_cuda() && !mask.defined()) return fused_attention(q, k, v, heads);
#endif
  return plain_attention(q, k, v, heads, mask, scores);
}

}  // namespace atelier::diffusion
