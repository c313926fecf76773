#include "portrait/face_shape.h"

#include <algorithm>
#include <cmath>

namespace atelier {
namespace {

struct Ellipse {
  double down = 0;  // of the centre
  double half_width = 1, half_height = 1;
};

// In units of the distance from eyes to mouth. Chin at 1.7, hairline at -1, crown at -1.8 (Farkas, "Anthropometry of
// the head and face", 1994), hair above it; widths with ears and hair.
constexpr Ellipse face_ellipse{0.45, 1.05, 1.25};
constexpr Ellipse head_ellipse{-0.15, 1.85, 2.15};
constexpr Ellipse wide_head{-0.2, 2.5, 2.7};
constexpr double neck_half_width = 0.85, neck_from = 0.8, neck_to = 2.2;
constexpr double shoulders_from = 1.6, shoulders_slope = 1.5, shoulders_half_width = 1.6;
// The landmarks of a turned face lie before the middle of its head.
constexpr double head_behind_nose = 0.6, face_behind_nose = 0.35;

double outside(const Ellipse& e, FaceFrame::Place p, double shift) {  // signed distance, roughly, in units
  const double x = (p.across - shift) / e.half_width, y = (p.down - e.down) / e.half_height;
  return (std::sqrt(x * x + y * y) - 1) * std::min(e.half_width, e.half_height);
}

double outside_neck(FaceFrame::Place p, double shift) {
  return std::max({std::abs(p.across - shift) - neck_half_width, neck_from - p.down, p.down - neck_to});
}

template <class Outside>
cv::Mat drawn(cv::Size size, const FaceFrame& frame, double feather_px, Outside&& distance) {
  cv::Mat shape(size, CV_32FC1);
  const double feather = std::max(feather_px, 1.0) / frame.unit_px();
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x)
      shape.at<float>(y, x) = static_cast<float>(std::clamp(0.5 - distance(frame.at(x, y)) / feather, 0.0, 1.0));
  return shape;
}

}  // namespace

FaceFrame::FaceFrame(const Face& face) {
  const Point &right = face.at(Face::right_eye), &left = face.at(Face::left_eye), &nose = face.at(Face::nose);
  const Point &right_mouth = face.at(Face::right_mouth), &left_mouth = face.at(Face::left_mouth);
  x_ = (right.x + left.x) / 2;
  y_ = (right.y + left.y) / 2;
  const double dx = (right_mouth.x + left_mouth.x) / 2 - x_, dy = (right_mouth.y + left_mouth.y) / 2 - y_;
  const double height = std::hypot(dx, dy), width = std::hypot(left.x - right.x, left.y - right.y);
  // A bowed head shortens the height, a turned one the width.
  unit_ = std::max({height, 0.95 * width, 1.0});
  if (height > 0) {
    down_x_ = dx / height;
    down_y_ = dy / height;
  }
  turned_ = at(nose.x, nose.y).across;
}

FaceFrame::Place FaceFrame::at(double x, double y) const {
  const double px = (x - x_) / unit_, py = (y - y_) / unit_;
  return {px * down_y_ - py * down_x_, px * down_x_ + py * down_y_};
}

cv::Mat face_shape(cv::Size size, const Face& face, double feather_px) {
  const FaceFrame frame(face);
  const double shift = -face_behind_nose * frame.turned();
  return drawn(size, frame, feather_px, [shift](FaceFrame::Place p) { return outside(face_ellipse, p, shift); });
}

cv::Mat head_shape(cv::Size size, const Face& face, double feather_px) {
  const FaceFrame frame(face);
  const double shift = -head_behind_nose * frame.turned();
  return drawn(size, frame, feather_px, [shift](FaceFrame::Place p) {
    return std::min(outside(head_ellipse, p, shift), outside_neck(p, shift));
  });
}

cv::Mat body_shape(cv::Size size, const Face& face) {
  const FaceFrame frame(face);
  return drawn(size, frame, 1, [](FaceFrame::Place p) {
    const double below = p.down - shoulders_from;
    const double body =
        std::max(-below, std::abs(p.across) - shoulders_half_width - shoulders_slope * std::max(0.0, below));
    return std::min(outside(wide_head, p, 0), body);
  });
}

}  // namespace atelier
