#include "render/filters.h"

namespace atelier::render {
namespace {

// The mean of 2 radius + 1 values in a row of n, `step` apart; values beyond the ends are those at the ends.
template <class T>
void box_row(const T* in, T* out, int n, std::size_t step, int radius) {
  const auto value = [&](int i) { return in[static_cast<std::size_t>(std::clamp(i, 0, n - 1)) * step]; };
  const float part = 1.0f / static_cast<float>(2 * radius + 1);
  for (int i = 0; i < n; ++i) {
    T sum{};
    for (int d = -radius; d <= radius; ++d) sum = sum + value(i + d);
    out[static_cast<std::size_t>(i) * step] = sum * part;
  }
}

template <class Grid>
Grid box_twice(const Grid& grid, int radius) {
  Grid a = grid, b = grid;
  const int n = grid.side_px();
  const auto side = static_cast<std::size_t>(n);
  for (int pass = 0; pass < 2; ++pass) {
    for (int i = 0; i < n; ++i) box_row(&a.at(0, i), &b.at(0, i), n, 1, radius);
    for (int i = 0; i < n; ++i) box_row(&b.at(i, 0), &a.at(i, 0), n, side, radius);
  }
  return a;
}

// Sums over all pixels above and to the left, so that a square's sum takes four of them. Doubles, since it subtracts.
class SumTable {
 public:
  template <class Value>
  SumTable(int side, Value&& value) : row_(side + 1), sums_(static_cast<std::size_t>(row_) * row_) {
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) at(x + 1, y + 1) = at(x, y + 1) + at(x + 1, y) - at(x, y) + value(x, y);
  }
  double sum(int x0, int y0, int x1, int y1) const { return at(x1, y1) - at(x0, y1) - at(x1, y0) + at(x0, y0); }

 private:
  double& at(int x, int y) { return sums_[static_cast<std::size_t>(y) * row_ + x]; }
  double at(int x, int y) const { return sums_[static_cast<std::size_t>(y) * row_ + x]; }
  int row_;
  std::vector<double> sums_;
};

template <class Change>
Canvas changed(const Canvas& canvas, Change&& change) {
  Canvas out(canvas.side_px());
  for (int y = 0; y < canvas.side_px(); ++y)
    for (int x = 0; x < canvas.side_px(); ++x) {
      const Rgb& c = canvas.at(x, y);
      out.at(x, y) = {change(c.r), change(c.g), change(c.b)};
    }
  return out;
}

}  // namespace

Canvas encoded(const Canvas& canvas) {
  return changed(canvas, [](float v) { return std::sqrt(share(v)); });
}
Canvas linear(const Canvas& canvas) {
  return changed(canvas, [](float v) { return squared(share(v)); });
}

Plane brightness(const Canvas& canvas) {
  Plane plane(canvas.side_px());
  for (int y = 0; y < canvas.side_px(); ++y)
    for (int x = 0; x < canvas.side_px(); ++x) plane.at(x, y) = luma(canvas.at(x, y));
  return plane;
}

Plane blurred(const Plane& plane, int radius) { return radius > 0 ? box_twice(plane, radius) : plane; }
Canvas blurred(const Canvas& canvas, int radius) { return radius > 0 ? box_twice(canvas, radius) : canvas; }

Slope slope_at(const Plane& p, int x, int y) {
  const auto v = [&](int dx, int dy) { return p.near(x + dx, y + dy); };
  return {(v(1, -1) + 2 * v(1, 0) + v(1, 1) - v(-1, -1) - 2 * v(-1, 0) - v(-1, 1)) / 8,
          (v(-1, 1) + 2 * v(0, 1) + v(1, 1) - v(-1, -1) - 2 * v(0, -1) - v(1, -1)) / 8};
}

Canvas patched(const Canvas& canvas, int radius) {
  const int side = canvas.side_px();
  const SumTable red(side, [&](int x, int y) { return canvas.at(x, y).r; });
  const SumTable green(side, [&](int x, int y) { return canvas.at(x, y).g; });
  const SumTable blue(side, [&](int x, int y) { return canvas.at(x, y).b; });
  const SumTable squares(side, [&](int x, int y) {
    const Rgb& c = canvas.at(x, y);
    return c.r * c.r + c.g * c.g + c.b * c.b;
  });
  Canvas out(side);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      double least = 1e30;
      for (int quarter = 0; quarter < 4; ++quarter) {
        const int left = x - (quarter & 1 ? 0 : radius), top = y - (quarter & 2 ? 0 : radius);
        const int x0 = std::max(left, 0), y0 = std::max(top, 0);
        const int x1 = std::min(left + radius + 1, side), y1 = std::min(top + radius + 1, side);
        const double n = (x1 - x0) * (y1 - y0);
        const double r = red.sum(x0, y0, x1, y1) / n, g = green.sum(x0, y0, x1, y1) / n,
                     b = blue.sum(x0, y0, x1, y1) / n;
        const double spread = squares.sum(x0, y0, x1, y1) / n - r * r - g * g - b * b;
        if (spread >= least) continue;
        least = spread;
        out.at(x, y) = {static_cast<float>(r), static_cast<float>(g), static_cast<float>(b)};
      }
    }
  return out;
}

}  // namespace atelier::render
