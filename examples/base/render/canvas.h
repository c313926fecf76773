// render: the square picture while it is painted, in linear light. Places are in picture units: (0, 0) is the upper
// left corner, (1, 1) the lower right one, whatever the number of pixels.
#pragma once
#include <opencv2/core.hpp>
#include <vector>

#include "render/vectors.h"

namespace atelier::render {

class Canvas {
 public:
  explicit Canvas(int side_px) : side_(side_px), pixels_(static_cast<std::size_t>(side_px) * side_px) {}

  int side_px() const { return side_; }
  float pixel() const { return 1.0f / static_cast<float>(side_); }  // in picture units
  Rgb& at(int x, int y) { return pixels_[static_cast<std::size_t>(y) * side_ + x]; }
  const Rgb& at(int x, int y) const { return pixels_[static_cast<std::size_t>(y) * side_ + x]; }
  // As `at`, where a place outside is the nearest inside.
  const Rgb& near(int x, int y) const { return at(std::clamp(x, 0, side_ - 1), std::clamp(y, 0, side_ - 1)); }

  Canvas enlarged(int factor) const;  // bilinear: a soft picture
  Canvas reduced(int factor) const;   // the mean of factor x factor pixels

 private:
  int side_;
  std::vector<Rgb> pixels_;
};

// The picture as it is stored: CV_8UC3, RGB.
cv::Mat to_rgb8(const Canvas& canvas);

struct Area {
  Vec2 from, to;
};
inline Area around(Vec2 centre, float reach_x, float reach_y) {
  return {{centre.x - reach_x, centre.y - reach_y}, {centre.x + reach_x, centre.y + reach_y}};
}

struct Paint {
  Rgb colour;
  float cover = 0;  // 0 to 1
};

// Lays shade(place) -> Paint over the pixels of `area`.
template <class Shade>
void paint(Canvas& canvas, const Area& area, Shade&& shade) {
  const int side = canvas.side_px();
  const float scale = static_cast<float>(side);
  const int x0 = std::max(0, static_cast<int>(area.from.x * scale) - 1),
            y0 = std::max(0, static_cast<int>(area.from.y * scale) - 1);
  const int x1 = std::min(side, static_cast<int>(area.to.x * scale) + 2),
            y1 = std::min(side, static_cast<int>(area.to.y * scale) + 2);
  for (int y = y0; y < y1; ++y)
    for (int x = x0; x < x1; ++x) {
      const Paint laid = shade(Vec2{(static_cast<float>(x) + 0.5f) / scale, (static_cast<float>(y) + 0.5f) / scale});
      if (laid.cover > 0) canvas.at(x, y) = mix(canvas.at(x, y), laid.colour, std::min(laid.cover, 1.0f));
    }
}

}  // namespace atelier::render
