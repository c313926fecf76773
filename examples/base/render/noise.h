// render: textures that look random and are the same everywhere.
#pragma once
#include <cstdint>

#include "render/vectors.h"

namespace atelier::render {

// A number of 0 to 1 for a cell of a grid (the finaliser of MurmurHash3).
inline float cell_noise(std::int32_t x, std::int32_t y, std::uint32_t seed) {
  std::uint32_t h = static_cast<std::uint32_t>(x) * 0x9E3779B1u ^ static_cast<std::uint32_t>(y) * 0x85EBCA77u ^ seed;
  h = (h ^ h >> 16) * 0x85EBCA6Bu;
  h = (h ^ h >> 13) * 0xC2B2AE35u;
  h ^= h >> 16;
  return static_cast<float>(h >> 8) * 0x1p-24f;
}

// Smooth noise of 0 to 1 with features of size 1.
inline float smooth_noise(float x, float y, std::uint32_t seed) {
  const float fx = floored(x), fy = floored(y);
  const auto ix = static_cast<std::int32_t>(fx), iy = static_cast<std::int32_t>(fy);
  float u = x - fx, v = y - fy;
  u = u * u * (3 - 2 * u);
  v = v * v * (3 - 2 * v);
  const float top = cell_noise(ix, iy, seed) * (1 - u) + cell_noise(ix + 1, iy, seed) * u;
  const float bottom = cell_noise(ix, iy + 1, seed) * (1 - u) + cell_noise(ix + 1, iy + 1, seed) * u;
  return top * (1 - v) + bottom * v;
}

}  // namespace atelier::render
