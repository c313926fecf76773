// render: plain shapes as signed distances (negative inside) and how to fill them with a colour.
// Quilez, "2D distance functions"; that of the ellipse is the usual approximation.
#pragma once
#include "render/canvas.h"

namespace atelier::render {

inline float ellipse(Vec2 p, Vec2 centre, Vec2 radii) {
  const Vec2 q{(p.x - centre.x) / radii.x, (p.y - centre.y) / radii.y};
  return (length(q) - 1) * std::min(radii.x, radii.y);
}

inline float rectangle(Vec2 p, Vec2 centre, Vec2 half) {
  const Vec2 d{std::fabs(p.x - centre.x) - half.x, std::fabs(p.y - centre.y) - half.y};
  return length({std::max(d.x, 0.0f), std::max(d.y, 0.0f)}) + std::min(std::max(d.x, d.y), 0.0f);
}

// A line with round ends.
inline float stroke(Vec2 p, Vec2 from, Vec2 to, float half_width) {
  const Vec2 along = to - from, q = p - from;
  const float t = share(dot(q, along) / std::max(dot(along, along), 1e-12f));
  return length(q - along * t) - half_width;
}

// Symmetric about x = centre.x, of half width `top` above and `bottom` below.
inline float trapezoid(Vec2 p, Vec2 centre, float half_height, float top, float bottom) {
  const float t = (p.y - centre.y) / half_height;
  const float half_width = mix(top, bottom, share(0.5f + 0.5f * t));
  return std::max(std::fabs(p.x - centre.x) - half_width, std::fabs(p.y - centre.y) - half_height);
}

// How much of a pixel of that size a shape covers.
inline float cover(float distance, float pixel) { return share(0.5f - distance / pixel); }

template <class Distance>
void fill(Canvas& canvas, const Area& area, Rgb colour, Distance&& distance) {
  const float pixel = canvas.pixel();
  paint(canvas, area, [&](Vec2 p) { return Paint{colour, cover(distance(p), pixel)}; });
}

inline void fill_ellipse(Canvas& canvas, Vec2 centre, Vec2 radii, Rgb colour) {
  fill(canvas, around(centre, radii.x, radii.y), colour, [&](Vec2 p) { return ellipse(p, centre, radii); });
}
inline void fill_rectangle(Canvas& canvas, Vec2 centre, Vec2 half, Rgb colour) {
  fill(canvas, around(centre, half.x, half.y), colour, [&](Vec2 p) { return rectangle(p, centre, half); });
}
inline void fill_stroke(Canvas& canvas, Vec2 from, Vec2 to, float half_width, Rgb colour) {
  const Area area{{std::min(from.x, to.x) - half_width, std::min(from.y, to.y) - half_width},
                  {std::max(from.x, to.x) + half_width, std::max(from.y, to.y) + half_width}};
  fill(canvas, area, colour, [&](Vec2 p) { return stroke(p, from, to, half_width); });
}
inline void fill_trapezoid(Canvas& canvas, Vec2 centre, float half_height, float top, float bottom, Rgb colour) {
  fill(canvas, around(centre, std::max(top, bottom), half_height), colour,
       [&](Vec2 p) { return trapezoid(p, centre, half_height, top, bottom); });
}

}  // namespace atelier::render
