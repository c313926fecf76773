// support: images made on the spot.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "types/images.h"

namespace atelier {

using Rgb = std::array<std::uint8_t, 3>;

// An image of one colour.
inline Image plain_image(const std::string& name, std::int64_t width, std::int64_t height, Rgb colour) {
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < width * height; ++i) bytes.insert(bytes.end(), colour.begin(), colour.end());
  Image image;
  image.name = name;
  image.photo = sha256(name);
  image.pixels = Tensor::of<std::uint8_t>({height, width, 3}, std::move(bytes));
  image.original_width = width;
  image.original_height = height;
  return image;
}

// A face seen from the front, level: eyes 2 * `unit` apart halfway, mouth `unit` below them.
inline Face level_face(double x, double y, double unit) {
  Face face;
  face.box = {x - unit, y - 0.8 * unit, 2 * unit, 2.5 * unit};
  face.landmarks = {Point{x - unit / 2, y}, Point{x + unit / 2, y}, Point{x, y + 0.6 * unit},
                    Point{x - 0.4 * unit, y + unit}, Point{x + 0.4 * unit, y + unit}};
  face.score = 0.9;
  return face;
}

inline Rgb pixel_of(const Image& image, std::int64_t x, std::int64_t y) {
  const auto* p = image.pixels.values<std::uint8_t>().data() + 3 * (y * image.width() + x);
  return {p[0], p[1], p[2]};
}

}  // namespace atelier
