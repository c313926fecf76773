// render: what the styles are made of. Values are the picture's (square roots of linear light), 0 to 1; widths in
// pixels.
#pragma once
#include <vector>

#include "render/canvas.h"

namespace atelier::render {

// One number for each pixel.
class Plane {
 public:
  explicit Plane(int side_px) : side_(side_px), values_(static_cast<std::size_t>(side_px) * side_px) {}
  int side_px() const { return side_; }
  float& at(int x, int y) { return values_[static_cast<std::size_t>(y) * side_ + x]; }
  float at(int x, int y) const { return values_[static_cast<std::size_t>(y) * side_ + x]; }
  float near(int x, int y) const { return at(std::clamp(x, 0, side_ - 1), std::clamp(y, 0, side_ - 1)); }

 private:
  int side_;
  std::vector<float> values_;
};

// A canvas in the picture's values, and back.
Canvas encoded(const Canvas& linear);
Canvas linear(const Canvas& encoded);
Plane brightness(const Canvas& encoded);

Plane blurred(const Plane& plane, int radius);  // two passes of a box
Canvas blurred(const Canvas& canvas, int radius);

struct Slope {
  float x = 0, y = 0;
};
Slope slope_at(const Plane& plane, int x, int y);  // Sobel, per pixel

// Of four squares about each pixel the mean of the one that varies least: edges stay, all else becomes a patch
// (Kuwahara et al., "Processing of RI-angiocardiographic images", 1976).
Canvas patched(const Canvas& encoded, int radius);

}  // namespace atelier::render
