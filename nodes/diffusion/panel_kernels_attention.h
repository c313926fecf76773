// Part of panel_kernels_body.h: attention of one head, by panels of kPanel queries and blocks of kKeys keys. The
// queries of a panel are the columns of every product, so a maximum or a sum over keys never crosses a vector.

constexpr int64_t kKeys = 128;          // keys of a block: its scores, 16 KB, stay in the first cache
constexpr int64_t kMaxHeadWidth = 512;  // VAE: one head over all its 512 channels
constexpr int kPanelVectors = static_cast<int>(kPanel) / kLanes;

/// [rows of a matrix [tokens, width]] -> panel [width][kPanel], times `scale`, zeros where no row is left.
inline void pack_tokens(const float* rows, int64_t count, int64_t width, float scale, float* panel) {
  if (count < kPanel)
    for (int64_t i = 0; i < width * kPanel; ++i) panel[i] = 0;
  transpose(rows, width, count, width, panel, kPanel);
  if (scale != 1.0F)
    for (int64_t i = 0; i < width * kPanel; i += kLanes) store(panel + i, load(panel + i) * scale);
}

inline PanelProduct panel_product(LeftFactor left, int64_t rows, int64_t k, const float* panel, float* out) {
  return {left, rows, 0, k, panel, kPanel, kPanel, out, kPanel, false};
}

/// The softmax of a panel so far.
struct RunningSoftmax {
  float highest[kPanel];
  float total[kPanel];

  /// Turns a block of scores [keys][kPanel] into exponentials; what was summed before is to be multiplied by `rescale`.
  void add(float* scores, int64_t keys, float* rescale) {
    for (int v = 0; v < kPanelVectors; ++v) {
      float* column = scores + v * kLanes;
      const Vector before = load(highest + v * kLanes);
      Vector top = before;
      for (int64_t j = 0; j < keys; ++j) top = larger(top, load(column + j * kPanel));
      const Vector factor = exponential(before - top);
      Vector sums = load(total + v * kLanes) * factor;
      for (int64_t j = 0; j < keys; ++j) {
        const Vector p = exponential(load(column + j * kPanel) - top);
        sums += p;
        store(column + j * kPanel, p);
      }
      store(highest + v * kLanes, top);
      store(total + v * kLanes, sums);
      store(rescale + v * kLanes, factor);
    }
  }
};

void attend(const AttentionHead& head, float* out, float* log_sum) {
  const int64_t width = head.width;
  alignas(64) float queries[kMaxHeadWidth * kPanel], sums[kMaxHeadWidth * kPanel], scores[kKeys * kPanel];
  for (int64_t first = 0; first < head.queries; first += kPanel) {
    const int64_t count = head.queries - first < kPanel ? head.queries - first : kPanel;
    pack_tokens(head.q + first * width, count, width, head.scale, queries);
    for (int64_t i = 0; i < width * kPanel; ++i) sums[i] = 0;
    RunningSoftmax softmax;
    for (int64_t i = 0; i < kPanel; ++i) softmax.highest[i] = -1e30F, softmax.total[i] = 0;
    for (int64_t key = 0; key < head.keys; key += kKeys) {
      const int64_t keys = head.keys - key < kKeys ? head.keys - key : kKeys;
      multiply(panel_product(LeftFactor::rows_of(head.k + key * width, width, width), keys, width, queries, scores));
      alignas(64) float rescale[kPanel];
      softmax.add(scores, keys, rescale);
      for (int64_t c = 0; c < width; ++c)
        for (int v = 0; v < kPanelVectors; ++v) {
          float* at = sums + c * kPanel + v * kLanes;
          store(at, load(at) * load(rescale + v * kLanes));
        }
      PanelProduct weighted =
          panel_product(LeftFactor::columns_of(head.v + key * width, width), width, keys, scores, sums);
      weighted.accumulate = true;
      multiply(weighted);
    }
    for (int64_t c = 0; c < width; ++c)
      for (int v = 0; v < kPanelVectors; ++v) {
        float* at = sums + c * kPanel + v * kLanes;
        store(at, load(at) / load(softmax.total + v * kLanes));
      }
    transpose(sums, kPanel, width, count, out + first * width, width);
    for (int64_t i = 0; i < count; ++i) log_sum[first + i] = softmax.highest[i] + __builtin_logf(softmax.total[i]);
  }
}

constexpr int64_t kGroupPanels = 2;  // of queries that share a sweep over the keys' gradients
constexpr int64_t kGroup = kGroupPanels * kPanel;
constexpr int64_t kGroupKeys = 64;  // keys of a block in the backward pass: two matrices of scores

/// Some queries: what a sweep over the keys needs of them.
struct QueryGroup {
  alignas(64) float queries[kGroupPanels][kMaxHeadWidth * kPanel];  // [width][kPanel], times the scale
  alignas(64) float outs[kGroupPanels][kMaxHeadWidth * kPanel];     // the gradients of the outputs
  alignas(64) float sums[kGroupPanels][kMaxHeadWidth * kPanel];     // the queries' gradients so far
  alignas(64) float query_rows[kGroup * kMaxHeadWidth];             // [kGroup][padded width], times the scale
  alignas(64) float out_rows[kGroup * kMaxHeadWidth];
  alignas(64) float log_sum[kGroup], delta[kGroup];
  int64_t count, panels;
};

/// Rows of [tokens, width] widened to `padded`, zeros behind them and below.
inline void pad_rows(const float* from, int64_t count, int64_t rows, int64_t width, float scale, int64_t padded,
                     float* to) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < padded; ++c)
      to[r * padded + c] = r < count && c < width ? from[r * width + c] * scale : 0.0F;
}

inline void take_queries(const AttentionHead& head, const AttentionGradients& g, int64_t first, int64_t padded,
                         QueryGroup& group) {
  const int64_t width = head.width, left = head.queries - first;
  group.count = left < kGroup ? left : kGroup;
  group.panels = (group.count + kPanel - 1) / kPanel;
  const float *q = head.q + first * width, *out = g.out_gradient + first * width;
  for (int64_t p = 0; p < group.panels; ++p) {
    const int64_t begin = p * kPanel, count = group.count - begin < kPanel ? group.count - begin : kPanel;
    pack_tokens(q + begin * width, count, width, head.scale, group.queries[p]);
    pack_tokens(out + begin * width, count, width, 1.0F, group.outs[p]);
    for (int64_t i = 0; i < width * kPanel; ++i) group.sums[p][i] = 0;
  }
  pad_rows(q, group.count, group.panels * kPanel, width, head.scale, padded, group.query_rows);
  pad_rows(out, group.count, group.panels * kPanel, width, 1.0F, padded, group.out_rows);
  for (int64_t i = 0; i < kGroup; ++i) {
    // A column without a query: its probabilities are e^-30000, nothing.
    group.log_sum[i] = i < group.count ? g.log_sum[first + i] : 30000.0F;
    group.delta[i] = i < group.count ? g.delta[first + i] : 0.0F;
  }
}

/// P and dS of a block from its scores and the products of values and output gradients, in place.
inline void score_gradients(float* scores, float* products, int64_t keys, const QueryGroup& group) {
  for (int64_t column = 0; column < group.panels * kPanel; column += kLanes) {
    const Vector log_sums = load(group.log_sum + column), deltas = load(group.delta + column);
    for (int64_t j = 0; j < keys; ++j) {
      float *s = scores + j * kGroup + column, *d = products + j * kGroup + column;
      const Vector p = exponential(load(s) - log_sums);
      store(s, p);
      store(d, p * (load(d) - deltas));
    }
  }
}

/// Adds left [keys, queries of the group] times rows [queries, padded] to out [keys, padded].
inline void add_product(const float* left, int64_t keys, const QueryGroup& group, const float* rows, int64_t padded,
                        float* out) {
  const int64_t queries = group.panels * kPanel;
  for (int64_t column = 0; column < padded;) {
    const int64_t rest = padded - column, columns = rest == kPanel + kHalfPanel || rest < kPanel ? rest : kPanel;
    multiply({LeftFactor::rows_of(left, queries, kGroup), keys, 0, queries, rows + column, padded, columns,
              out + column, padded, true});
    column += columns;
  }
}

void attend_backward(const AttentionHead& head, const AttentionGradients& g) {
  const int64_t width = head.width, padded = (width + kHalfPanel - 1) / kHalfPanel * kHalfPanel;
  alignas(64) float scores[kGroupKeys * kGroup], products[kGroupKeys * kGroup];
  QueryGroup group;
  for (int64_t i = 0; i < head.keys * padded; ++i) g.k[i] = 0, g.v[i] = 0;
  for (int64_t first = 0; first < head.queries; first += kGroup) {
    take_queries(head, g, first, padded, group);
    for (int64_t key = 0; key < head.keys; key += kGroupKeys) {
      const int64_t keys = head.keys - key < kGroupKeys ? head.keys - key : kGroupKeys;
      const LeftFactor k_rows = LeftFactor::rows_of(head.k + key * width, width, width);
      const LeftFactor v_rows = LeftFactor::rows_of(head.v + key * width, width, width);
      for (int64_t p = 0; p < group.panels; ++p) {
        const int64_t at = p * kPanel;
        multiply({k_rows, keys, 0, width, group.queries[p], kPanel, kPanel, scores + at, kGroup, false});
        multiply({v_rows, keys, 0, width, group.outs[p], kPanel, kPanel, products + at, kGroup, false});
      }
      score_gradients(scores, products, keys, group);
      add_product(scores, keys, group, group.out_rows, padded, g.v + key * padded);
      add_product(products, keys, group, group.query_rows, padded, g.k + key * padded);
      const LeftFactor k_columns = LeftFactor::columns_of(head.k + key * width, width);
      for (int64_t p = 0; p < group.panels; ++p)
        multiply({k_columns, width, 0, keys, products + p * kPanel, kGroup, kPanel, group.sums[p], kPanel, true});
    }
    for (int64_t p = 0; p < group.panels; ++p) {
      const int64_t begin = p * kPanel, count = group.count - begin < kPanel ? group.count - begin : kPanel;
      float* sums = group.sums[p];
      for (int64_t i = 0; i < width * kPanel; i += kLanes) store(sums + i, load(sums + i) * head.scale);
      transpose(sums, kPanel, width, count, g.q + (first + begin) * width, width);
    }
  }
}
