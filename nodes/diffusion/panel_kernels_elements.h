// Part of panel_kernels_body.h: normalisation and GEGLU.

struct Moments {
  float mean, reciprocal_deviation;
};

inline Moments moments(const NormGroup& group, const float* x) {
  const int64_t n = group.channels * group.pixels;
  // Sums of runs in float32, of runs' sums in float64: as exact as is needed at any size.
  constexpr int64_t kRun = 4096;
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kRun) {
    Vector run{};
    by_vectors(n - begin < kRun ? n - begin : kRun,
               [&](int64_t i, int count) { run += load_some(x + begin + i, count); });
    total += static_cast<double>(sum(run));
  }
  const float mean = static_cast<float>(total / static_cast<double>(n));
  double squares = 0;
  for (int64_t begin = 0; begin < n; begin += kRun) {
    Vector run{};
    by_vectors(n - begin < kRun ? n - begin : kRun, [&](int64_t i, int count) {
      Vector d = load_some(x + begin + i, count) - mean;
      for (int j = count; j < kLanes; ++j) d[j] = 0;
      run += d * d;
    });
    squares += static_cast<double>(sum(run));
  }
  const double variance = squares / static_cast<double>(n) + group.eps;
  return {mean, static_cast<float>(1.0 / __builtin_sqrt(variance))};
}

void norm(const NormGroup& group, const float* x, float* y) {
  const Moments m = moments(group, x);
  for (int64_t c = 0; c < group.channels; ++c, x += group.pixels, y += group.pixels) {
    const float factor = m.reciprocal_deviation * group.weight[c], shift = group.bias[c] - m.mean * factor;
    by_vectors(group.pixels, [&](int64_t i, int count) {
      const Vector z = load_some(x + i, count) * factor + shift;
      store_some(y + i, group.silu ? z * sigmoid(z) : z, count);
    });
  }
}

void norm_backward(const NormGroup& group, const float* x, const float* y_gradient, float* x_gradient) {
  const Moments m = moments(group, x);
  const int64_t pixels = group.pixels;
  // First the gradient of the normalised numbers, into x_gradient, with the two means that are taken off it.
  double total = 0, along = 0;
  for (int64_t c = 0; c < group.channels; ++c) {
    const float weight = group.weight[c], bias = group.bias[c];
    Vector sums{}, alongs{};
    by_vectors(pixels, [&](int64_t i, int count) {
      const int64_t at = c * pixels + i;
      const Vector n = (load_some(x + at, count) - m.mean) * m.reciprocal_deviation;
      Vector g = load_some(y_gradient + at, count);
      if (group.silu) {
        const Vector z = n * weight + bias, s = sigmoid(z);
        g = g * s * (1.0F + z * (1.0F - s));
      }
      g = g * weight;
      sums += g;
      alongs += g * n;
      store_some(x_gradient + at, g, count);
    });
    total += static_cast<double>(sum(sums));
    along += static_cast<double>(sum(alongs));
  }
  const auto n = static_cast<double>(group.channels * pixels);
  const auto mean = static_cast<float>(total / n), mean_along = static_cast<float>(along / n);
  by_vectors(group.channels * pixels, [&](int64_t i, int count) {
    const Vector normalised = (load_some(x + i, count) - m.mean) * m.reciprocal_deviation;
    const Vector g = load_some(x_gradient + i, count);
    store_some(x_gradient + i, (g - mean - normalised * mean_along) * m.reciprocal_deviation, count);
  });
}

constexpr float kSqrtHalf = 0.70710678118654752440F;
constexpr float kDensity = 0.39894228040143267794F;  // 1 / sqrt(2 pi)

inline Vector normal_distribution(Vector x) { return 0.5F + 0.5F * error_function(x * kSqrtHalf); }

void geglu(const float* a, const float* b, float* out, int64_t n) {
  by_vectors(n, [&](int64_t i, int count) {
    const Vector gate = load_some(b + i, count);
    store_some(out + i, load_some(a + i, count) * gate * normal_distribution(gate), count);
  });
}

void geglu_backward(const float* a, const float* b, const float* out_gradient, float* a_gradient, float* b_gradient,
                    int64_t n) {
  by_vectors(n, [&](int64_t i, int count) {
    const Vector gate = load_some(b + i, count), g = load_some(out_gradient + i, count);
    const Vector share = normal_distribution(gate);
    const Vector density = kDensity * exponential(-0.5F * gate * gate);
    store_some(b_gradient + i, g * load_some(a + i, count) * (share + gate * density), count);
    store_some(a_gradient + i, g * gate * share, count);
  });
}
