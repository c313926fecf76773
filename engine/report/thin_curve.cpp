#include "report/thin_curve.h"

#include <algorithm>
#include <cmath>

namespace atelier {

ThinCurve::ThinCurve(const Curve& curve) {
  for (const auto& [step, value] : curve) add(static_cast<double>(step), value);
}

void ThinCurve::add(double step, double value) {
  if (!std::isfinite(value)) {
    ++not_finite_;
    return;
  }
  lowest_ = points_.empty() && open_count_ == 0 ? value : std::min(lowest_, value);
  while (!points_.empty() && points_.back().step >= step) points_.pop_back();
  ++open_count_;
  const double share = 1.0 / static_cast<double>(open_count_);
  open_ = open_count_ == 1
              ? CurvePoint{step, value}
              : CurvePoint{open_.step + (step - open_.step) * share, open_.value + (value - open_.value) * share};
  if (open_count_ < per_point_) return;
  points_.push_back(open_);
  open_count_ = 0;
  if (points_.size() < most_points) return;
  for (std::size_t i = 0; i < points_.size() / 2; ++i)
    points_[i] = {(points_[2 * i].step + points_[2 * i + 1].step) / 2,
                  (points_[2 * i].value + points_[2 * i + 1].value) / 2};
  points_.resize(points_.size() / 2);
  per_point_ *= 2;
}

}  // namespace atelier
