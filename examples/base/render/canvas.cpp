#include "render/canvas.h"

namespace atelier::render {

Canvas Canvas::enlarged(int factor) const {
  Canvas large(side_ * factor);
  const float step = 1.0f / static_cast<float>(factor);
  for (int y = 0; y < large.side_; ++y)
    for (int x = 0; x < large.side_; ++x) {
      const float sx = (static_cast<float>(x) + 0.5f) * step - 0.5f, sy = (static_cast<float>(y) + 0.5f) * step - 0.5f;
      const float fx = floored(sx), fy = floored(sy);
      const int ix = static_cast<int>(fx), iy = static_cast<int>(fy);
      large.at(x, y) = mix(mix(near(ix, iy), near(ix + 1, iy), sx - fx),
                           mix(near(ix, iy + 1), near(ix + 1, iy + 1), sx - fx), sy - fy);
    }
  return large;
}

Canvas Canvas::reduced(int factor) const {
  Canvas small(side_ / factor);
  const float part = 1.0f / static_cast<float>(factor * factor);
  for (int y = 0; y < small.side_; ++y)
    for (int x = 0; x < small.side_; ++x) {
      Rgb sum;
      for (int dy = 0; dy < factor; ++dy)
        for (int dx = 0; dx < factor; ++dx) sum = sum + at(x * factor + dx, y * factor + dy);
      small.at(x, y) = sum * part;
    }
  return small;
}

cv::Mat to_rgb8(const Canvas& canvas) {
  const auto stored = [](float linear) { return static_cast<std::uint8_t>(std::sqrt(share(linear)) * 255.0f + 0.5f); };
  cv::Mat picture(canvas.side_px(), canvas.side_px(), CV_8UC3);
  for (int y = 0; y < picture.rows; ++y)
    for (int x = 0; x < picture.cols; ++x) {
      const Rgb& c = canvas.at(x, y);
      picture.at<cv::Vec3b>(y, x) = {stored(c.r), stored(c.g), stored(c.b)};
    }
  return picture;
}

}  // namespace atelier::render
