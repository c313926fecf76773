#include "report/chart.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "report/text.h"

namespace atelier {
namespace {

constexpr double width = 340, height = 150, left = 50, right = 8, top = 8, bottom = 22;  // px
constexpr double smoothing_share = 20;  // the smooth line's memory is a twentieth of the points

struct Range {
  double low = 0, high = 1;
  double span() const { return high - low; }
};

Range range_of(const std::vector<CurvePoint>& points, double CurvePoint::*part) {
  const auto [low, high] = std::ranges::minmax(points, {}, part);
  Range range{low.*part, high.*part};
  if (range.span() <= 0)
    range = {range.low - std::max(1e-9, std::abs(range.low) * 0.1),
             range.high + std::max(1e-9, std::abs(range.high) * 0.1)};
  return range;
}

// A step of 1, 2 or 5 times a power of ten, so that about `ticks` of them fill the range.
double tick_step(double span, double ticks) {
  const double rough = span / ticks, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

std::vector<CurvePoint> smooth(const std::vector<CurvePoint>& points) {
  const double keep = std::exp(-smoothing_share / static_cast<double>(points.size()));
  std::vector<CurvePoint> line;
  double sum = 0, weight = 0;
  for (const auto& [step, value] : points) {
    sum = sum * keep + value;
    weight = weight * keep + 1;
    line.push_back({step, sum / weight});
  }
  return line;
}

struct Frame {
  Range steps, values;
  double x(double step) const { return left + (step - steps.low) / steps.span() * (width - left - right); }
  double y(double value) const {
    return height - bottom - (value - values.low) / values.span() * (height - top - bottom);
  }

  std::string line(const std::vector<CurvePoint>& points, const char* kind) const {
    std::string path;
    for (const auto& [step, value] : points)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x(step), y(value));
    return fmt::format("<path class=\"{}\" d=\"{}\"/>", kind, path);
  }

  std::string axes() const {
    std::string svg;
    const double by = tick_step(values.span(), 3), across = tick_step(steps.span(), 4);
    for (double value = std::ceil(values.low / by) * by; value <= values.high; value += by)
      svg += fmt::format(
          "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
          "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>",
          left, width - right, y(value), left - 5, y(value) + 3.5,
          show_number(std::abs(value) < by / 1000 ? 0 : value));
    for (double step = std::ceil(steps.low / across) * across; step <= steps.high; step += across)
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>", x(step), height - 7, step);
    return svg;
  }
};

}  // namespace

std::string in_words(const ThinCurve& curve) {
  const auto& points = curve.points();
  std::string words = points.empty()
                          ? "no values"
                          : fmt::format("from {} to {} over steps {:.0f} to {:.0f}, least {}",
                                        show_number(points.front().value), show_number(points.back().value),
                                        points.front().step, points.back().step, show_number(curve.lowest()));
  if (curve.not_finite() > 0)
    words += fmt::format("; {} not finite", plural(curve.not_finite(), "value was", "values were"));
  return words;
}

std::string chart_html(const std::string& what, const std::string& whose, const ThinCurve& curve) {
  const auto& points = curve.points();
  std::string html = "<figure class=\"chart\">";
  if (points.size() > 1) {
    const Frame frame{range_of(points, &CurvePoint::step), range_of(points, &CurvePoint::value)};
    const bool noisy = static_cast<double>(points.size()) > smoothing_share;
    html += fmt::format("<svg role=\"img\" viewBox=\"0 0 {} {}\"><title>{} of {}</title><desc>{}</desc>{}{}{}</svg>",
                        width, height, escaped(what), escaped(whose), escaped(in_words(curve)), frame.axes(),
                        frame.line(points, noisy ? "raw" : "line"), noisy ? frame.line(smooth(points), "line") : "");
  }
  return html + fmt::format("<figcaption><strong>{}</strong> {}</figcaption></figure>\n", escaped(what),
                            escaped(in_words(curve)));
}

}  // namespace atelier
