#include "render/palette.h"
#include "render/scene.h"
#include "render/shapes.h"

namespace atelier::render {
namespace {

constexpr Rgb iron{0.02f, 0.02f, 0.025f}, paper{0.94f, 0.93f, 0.9f};

// Where an object stands: its centre, half its height, its colour. Places on it are in half heights.
struct Stand {
  Vec2 centre;
  float size;
  Rgb colour;
  Vec2 at(float x, float y) const { return {centre.x + x * size, centre.y + y * size}; }
};

// A ball that is lit from the upper left.
void paint_ball(Canvas& canvas, const Stand& o, Vec2 centre, Vec2 radii) {
  paint(canvas, around(centre, radii.x, radii.y), [&](Vec2 p) -> Paint {
    const float u = (p.x - centre.x) / radii.x, v = (p.y - centre.y) / radii.y;
    const float shade = 1.12f - 0.55f * rise(-0.6f, 1.2f, 0.6f * u + 0.8f * v);
    const float shine = hill((squared(u + 0.35f) + squared(v + 0.42f)) / 0.09f);
    return {mix(o.colour * shade, {1, 1, 1}, 0.8f * shine), cover(ellipse(p, centre, radii), canvas.pixel())};
  });
}

void paint_balloon(Canvas& canvas, const Stand& o) {
  fill_stroke(canvas, o.at(0, 0.6f), o.at(0.12f, 1.9f), 0.025f * o.size, iron);
  fill_trapezoid(canvas, o.at(0, 0.62f), 0.09f * o.size, 0.03f * o.size, 0.13f * o.size, o.colour * 0.7f);
  paint_ball(canvas, o, o.at(0, -0.2f), {0.68f * o.size, 0.8f * o.size});
}

void paint_umbrella(Canvas& canvas, const Stand& o) {
  fill_stroke(canvas, o.at(0, -0.85f), o.at(0, 0.85f), 0.04f * o.size, iron);
  fill_stroke(canvas, o.at(0, 0.85f), o.at(0.16f, 0.95f), 0.04f * o.size, iron);
  fill_stroke(canvas, o.at(0.16f, 0.95f), o.at(0.25f, 0.8f), 0.04f * o.size, iron);
  paint(canvas, around(o.at(0, -0.3f), 1.1f * o.size, 0.7f * o.size), [&](Vec2 p) -> Paint {
    const float u = (p.x - o.centre.x) / o.size, v = (p.y - o.centre.y) / o.size;
    const float scallop = std::fabs(wave(u * 0.95f + 0.5f)) * 0.14f;
    const float distance = std::max(ellipse({u, v}, {0, 0.05f}, {1.05f, 0.85f}), v - 0.08f + scallop);
    const float panel = floored((u * (1 + 0.3f * v) + 1.05f) / 0.42f), odd = panel - 2 * floored(panel / 2);
    return {o.colour * (odd > 0.5f ? 1.1f : 0.62f), cover(distance * o.size, canvas.pixel())};
  });
}

void paint_lamp(Canvas& canvas, const Stand& o) {
  const Vec2 glow = o.at(0, -0.4f);
  paint(canvas, around(glow, 1.3f * o.size, 1.3f * o.size),
        [&](Vec2 p) -> Paint { return {{1, 0.9f, 0.6f}, 0.55f * hill(squared(length(p - glow) / (1.25f * o.size)))}; });
  fill_rectangle(canvas, o.at(0, 0.5f), {0.05f * o.size, 0.5f * o.size}, iron);
  fill_ellipse(canvas, o.at(0, 0.98f), {0.38f * o.size, 0.09f * o.size}, iron);
  fill_trapezoid(canvas, o.at(0, -0.4f), 0.5f * o.size, 0.38f * o.size, 0.75f * o.size, o.colour);
  fill_trapezoid(canvas, o.at(-0.12f, -0.4f), 0.46f * o.size, 0.08f * o.size, 0.16f * o.size,
                 mix(o.colour, {1, 1, 0.9f}, 0.45f));
  fill_rectangle(canvas, o.at(0, 0.08f), {0.76f * o.size, 0.03f * o.size}, o.colour * 0.5f);
}

void paint_clock(Canvas& canvas, const Stand& o) {
  const float size = 0.85f * o.size;
  fill_ellipse(canvas, o.centre, {size, size}, o.colour * 0.55f);
  fill_ellipse(canvas, o.centre, {0.96f * size, 0.96f * size}, o.colour);
  fill_ellipse(canvas, o.centre, {0.68f * size, 0.68f * size}, paper);
  for (int i = 0; i < 12; ++i) {
    const float t = static_cast<float>(i) / 12;
    fill_ellipse(canvas, o.at(0.48f * wave(t), 0.48f * wave(t + 0.25f)), {0.05f * size, 0.05f * size}, iron);
  }
  fill_stroke(canvas, o.centre, o.at(0, -0.42f), 0.045f * size, iron);
  fill_stroke(canvas, o.centre, o.at(0.26f, 0.12f), 0.055f * size, iron);
}

void paint_kite(Canvas& canvas, const Stand& o) {
  Vec2 last = o.at(0, 0.55f);
  for (int i = 1; i <= 5; ++i) {
    const Vec2 next = o.at(0.14f * (i % 2 == 0 ? 1.0f : -1.0f), 0.55f + 0.16f * static_cast<float>(i));
    fill_stroke(canvas, last, next, 0.025f * o.size, iron);
    if (i % 2 == 1) fill_rectangle(canvas, next, {0.13f * o.size, 0.06f * o.size}, o.colour);
    last = next;
  }
  paint(canvas, around(o.at(0, -0.2f), 0.75f * o.size, 0.85f * o.size), [&](Vec2 p) -> Paint {
    const float u = (p.x - o.centre.x) / o.size, v = (p.y - o.centre.y) / o.size + 0.25f;
    const float distance = (std::fabs(u) / 0.62f + (v < 0 ? -v / 0.7f : v / 0.85f) - 1) * 0.45f;
    const bool light = (u < 0) == (v < 0);
    const float spar = std::min(std::fabs(u), std::fabs(v)) < 0.03f ? 0.3f : 1;
    return {o.colour * ((light ? 1.15f : 0.6f) * spar), cover(distance * o.size, canvas.pixel())};
  });
}

void paint_vase(Canvas& canvas, const Stand& o) {
  for (const float x : {-0.35f, 0.0f, 0.35f}) {
    const Vec2 head = o.at(x, -0.85f + 0.5f * std::fabs(x));
    fill_stroke(canvas, o.at(0, -0.2f), head, 0.035f * o.size, rgb(0x2c7a2c));
    fill_ellipse(canvas, head, {0.17f * o.size, 0.17f * o.size}, rgb(0xf8f4f0));
    fill_ellipse(canvas, head, {0.07f * o.size, 0.07f * o.size}, rgb(0xf0c030));
  }
  paint(canvas, around(o.at(0, 0.4f), 0.7f * o.size, 0.65f * o.size), [&](Vec2 p) -> Paint {
    const float u = (p.x - o.centre.x) / o.size, v = (p.y - o.centre.y) / o.size;
    const float half = 0.2f + 0.34f * hill(squared((v - 0.45f) / 0.55f)) + 0.12f * hill(squared((v + 0.22f) / 0.16f)) +
                       0.06f * rise(0.85f, 1, v);
    const float distance = std::max(std::fabs(u) - half, std::fabs(v - 0.38f) - 0.6f);
    const float shade = 1.1f - 0.6f * rise(-0.4f, 0.6f, u),
                shine = 0.7f * hill(squared((u + 0.22f) / 0.07f) + squared((v - 0.4f) / 0.25f));
    return {mix(o.colour * shade, {1, 1, 1}, shine), cover(distance * o.size, canvas.pixel())};
  });
}

void paint_flag(Canvas& canvas, const Stand& o) {
  fill_stroke(canvas, o.at(-0.62f, -1), o.at(-0.62f, 1.6f), 0.05f * o.size, rgb(0xb09060));
  fill_ellipse(canvas, o.at(-0.62f, -1), {0.09f * o.size, 0.09f * o.size}, rgb(0xd8b040));
  paint(canvas, around(o.at(0.15f, -0.35f), 0.9f * o.size, 0.75f * o.size), [&](Vec2 p) -> Paint {
    const float u = (p.x - o.centre.x) / o.size, v = (p.y - o.centre.y) / o.size;
    const float sway = 0.1f * wave(u * 0.65f);
    const float distance = std::max(std::fabs(u - 0.18f) - 0.76f, std::fabs(v + 0.42f + sway) - 0.46f);
    const float fold = 0.9f + 0.3f * wave(u * 0.65f + 0.25f);
    const float stripe = std::fabs(v + 0.42f + sway) < 0.13f ? 1.0f : 0.0f;
    return {mix(o.colour, paper, stripe) * fold, cover(distance * o.size, canvas.pixel())};
  });
}

void paint_flower(Canvas& canvas, const Stand& o) {
  fill_stroke(canvas, o.at(0, -0.2f), o.at(0.06f, 1.7f), 0.05f * o.size, rgb(0x2c7a2c));
  fill_ellipse(canvas, o.at(0.26f, 0.85f), {0.24f * o.size, 0.1f * o.size}, rgb(0x3a9038));
  for (int i = 0; i < 8; ++i) {
    const float t = static_cast<float>(i) / 8;
    const Vec2 c = o.at(0.48f * wave(t), -0.25f + 0.48f * wave(t + 0.25f));
    fill_ellipse(canvas, c, {0.27f * o.size, 0.27f * o.size}, o.colour * (i % 2 == 0 ? 1.0f : 0.72f));
  }
  fill_ellipse(canvas, o.at(0, -0.25f), {0.26f * o.size, 0.26f * o.size}, rgb(0x5a3416));
}

}  // namespace

void paint_object(Canvas& canvas, const Shot& shot) {
  if (!shot.object) return;
  const Stand stand{{shot.object_x, shot.object_y}, shot.object_size, colour_of(shot.object->colour)};
  switch (shot.object->kind) {
    case ObjectKind::balloon:
      return paint_balloon(canvas, stand);
    case ObjectKind::umbrella:
      return paint_umbrella(canvas, stand);
    case ObjectKind::lamp:
      return paint_lamp(canvas, stand);
    case ObjectKind::clock:
      return paint_clock(canvas, stand);
    case ObjectKind::kite:
      return paint_kite(canvas, stand);
    case ObjectKind::vase:
      return paint_vase(canvas, stand);
    case ObjectKind::flag:
      return paint_flag(canvas, stand);
    case ObjectKind::flower:
      return paint_flower(canvas, stand);
  }
}

}  // namespace atelier::render
