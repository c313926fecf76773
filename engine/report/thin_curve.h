// report: a curve with as many points as a chart can show, however long the training was.
#pragma once
#include <cstddef>
#include <vector>

#include "artifact/shown.h"

namespace atelier {

struct CurvePoint {
  double step = 0, value = 0;
  bool operator==(const CurvePoint&) const = default;
};

// Neighbours become their mean when the points would be too many. Values that are not finite are left out and counted.
class ThinCurve {
 public:
  static constexpr std::size_t most_points = 256;

  ThinCurve() = default;
  explicit ThinCurve(const Curve& curve);
  // A step that goes back (a training that goes on from its checkpoint) replaces what stood there.
  void add(double step, double value);

  const std::vector<CurvePoint>& points() const { return points_; }
  double lowest() const { return lowest_; }  // 0 where there are no points
  std::size_t not_finite() const { return not_finite_; }

 private:
  std::vector<CurvePoint> points_;
  CurvePoint open_;  // the mean of those that make the next point
  std::size_t open_count_ = 0, per_point_ = 1, not_finite_ = 0;
  double lowest_ = 0;
};

}  // namespace atelier
