// portrait: where face, head and body of a person lie, judged from five landmarks alone.
#pragma once
#include <opencv2/core.hpp>

#include "types/face.h"

namespace atelier {

// The face's own frame: the unit is the distance from eyes to mouth (about 65 mm on an adult), the origin lies between
// the eyes, `across` runs to the person's left, `down` to the mouth.
class FaceFrame {
 public:
  explicit FaceFrame(const Face& face);

  struct Place {
    double across = 0, down = 0;
  };
  Place at(double x, double y) const;  // of a pixel
  double unit_px() const { return unit_; }
  // How far the nose stands from the middle, in units: 0 from the front, about 0.5 in profile, positive to `across`.
  double turned() const { return turned_; }

 private:
  double x_ = 0, y_ = 0, unit_ = 1, turned_ = 0;
  double down_x_ = 0, down_y_ = 1;
};

// Soft shapes over a picture of that size, CV_32FC1: 1 inside, 0 outside, falling within `feather_px`.
// Brows to chin.
cv::Mat face_shape(cv::Size size, const Face& face, double feather_px);
// Crown to collar, ears and hair at the sides: an ellipse around the head and the neck below it. Hair that falls over
// the shoulders lies outside: telling it from clothing needs a face parser.
cv::Mat head_shape(cv::Size size, const Face& face, double feather_px);
// A generous head and the body below it: what is certainly not background.
cv::Mat body_shape(cv::Size size, const Face& face);

}  // namespace atelier
