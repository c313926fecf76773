#include "render/scene.h"

#include "render/draws.h"
#include "render/noise.h"
#include "render/palette.h"
#include "render/shapes.h"

namespace atelier::render {
namespace {

constexpr Area whole{{0, 0}, {1, 1}};

void paint_window(Canvas& canvas, Vec2 centre, Vec2 half) {
  fill_rectangle(canvas, centre, {half.x + 0.02f, half.y + 0.02f}, rgb(0xf6f4ee));
  paint(canvas, around(centre, half.x, half.y), [&](Vec2 p) -> Paint {
    const float down = (p.y - centre.y) / half.y;
    const Rgb outside = down > 0.4f ? rgb(0x74a850) : mix(rgb(0x7cb8f0), rgb(0xe4f2fa), share(down * 0.7f + 0.7f));
    return {outside, cover(rectangle(p, centre, half), canvas.pixel())};
  });
  fill_rectangle(canvas, centre, {0.008f, half.y}, rgb(0xf6f4ee));
  fill_rectangle(canvas, centre, {half.x, 0.008f}, rgb(0xf6f4ee));
}

void paint_crockery(Canvas& canvas, RandomStream& s, Vec2 foot) {
  constexpr std::array<unsigned, 5> glaze{0xb85c38, 0xe8e4da, 0x5c7c8c, 0x38383c, 0xd8b060};
  const Rgb colour = rgb(glaze[s.below(glaze.size())]);
  switch (s.below(3)) {
    case 0:  // a pot
      fill_rectangle(canvas, {foot.x, foot.y - 0.035f}, {0.042f, 0.035f}, colour);
      fill_rectangle(canvas, {foot.x, foot.y - 0.075f}, {0.048f, 0.008f}, colour * 0.5f);
      fill_ellipse(canvas, {foot.x, foot.y - 0.09f}, {0.01f, 0.01f}, colour * 0.5f);
      break;
    case 1:  // a plate
      fill_ellipse(canvas, {foot.x, foot.y - 0.05f}, {0.048f, 0.05f}, colour);
      fill_ellipse(canvas, {foot.x, foot.y - 0.05f}, {0.03f, 0.032f}, colour * 0.75f);
      break;
    default:  // a cup
      fill_trapezoid(canvas, {foot.x, foot.y - 0.03f}, 0.03f, 0.034f, 0.024f, colour);
      fill(canvas, around({foot.x + 0.035f, foot.y - 0.03f}, 0.03f, 0.03f), colour,
           [&](Vec2 p) { return std::fabs(length(p - Vec2{foot.x + 0.035f, foot.y - 0.032f}) - 0.015f) - 0.005f; });
  }
}

}  // namespace

void paint_studio(Canvas& canvas, RandomStream s, Colour backdrop) {
  const Rgb colour = colour_of(backdrop);
  const Vec2 glow{between(s, 0.3f, 0.7f), between(s, 0.3f, 0.55f)};
  const float dark = between(s, 0.35f, 0.6f);
  paint(canvas, whole, [&](Vec2 p) -> Paint {
    return {mix(mix(colour, {1, 1, 1}, 0.12f), colour * dark, rise(0.05f, 0.85f, length(p - glow))), 1};
  });
}

void paint_kitchen(Canvas& canvas, RandomStream s) {
  const Rgb wall = mix(rgb(0xf0e6cc), rgb(0xcfe0dc), static_cast<float>(s.uniform()));
  const float counter = between(s, 0.66f, 0.72f), tile = 0.09f;
  paint(canvas, whole, [&](Vec2 p) -> Paint {
    const float u = p.x / tile - floored(p.x / tile), v = p.y / tile - floored(p.y / tile);
    const float joint = std::max(std::fabs(u - 0.5f), std::fabs(v - 0.5f));
    return {wall * (p.y > 0.42f && joint > 0.46f ? 0.6f : 0.95f - 0.2f * p.y), 1};
  });
  const bool window_left = chance(s, 0.5);
  paint_window(canvas, {window_left ? 0.2f : 0.8f, 0.26f}, {0.14f, 0.17f});
  for (const float y : {0.2f, 0.42f}) {
    const float from = window_left ? 0.46f : 0.0f, to = window_left ? 1.0f : 0.54f;
    for (float x = from + 0.06f; x < to - 0.03f; x += between(s, 0.1f, 0.14f)) paint_crockery(canvas, s, {x, y});
    fill_rectangle(canvas, {(from + to) / 2, y + 0.01f}, {(to - from) / 2, 0.012f}, rgb(0x8a5a30));
  }
  fill_rectangle(canvas, {0.5f, (1 + counter) / 2}, {0.5f, (1 - counter) / 2}, rgb(0xa8703c));
  for (const float x : {0.02f, 0.27f, 0.73f, 0.98f})
    fill_rectangle(canvas, {x, (1 + counter) / 2 + 0.03f}, {0.004f, 0.2f}, rgb(0x5c3818));
  fill_rectangle(canvas, {0.5f, counter}, {0.5f, 0.018f}, rgb(0xdcd8d0));
  for (const float x : {0.08f, 0.9f}) paint_crockery(canvas, s, {x + between(s, -0.03f, 0.03f), counter - 0.018f});
}

void paint_library(Canvas& canvas, RandomStream s) {
  constexpr std::array<unsigned, 8> spines{0x7c2420, 0x1f3c6a, 0x2c5a34, 0xb08c3c,
                                           0x50301c, 0x8c8478, 0x4c2454, 0xc8b894};
  paint(canvas, whole, [&](Vec2) -> Paint { return {rgb(0x241408), 1}; });
  const float pitch = between(s, 0.19f, 0.24f);
  for (float shelf = between(s, 0.02f, 0.16f); shelf < 1.1f; shelf += pitch) {
    for (float x = 0; x < 1;) {
      const float width = between(s, 0.02f, 0.045f), height = pitch * between(s, 0.62f, 0.86f);
      const Rgb colour = rgb(spines[s.below(spines.size())]) * between(s, 0.7f, 1.2f);
      if (!chance(s, 0.06)) {
        const Vec2 centre{x + width / 2, shelf - 0.012f - height / 2};
        fill_rectangle(canvas, centre, {width / 2 - 0.002f, height / 2}, colour);
        fill_rectangle(canvas, {centre.x, centre.y - height * 0.3f}, {width / 2 - 0.002f, 0.006f},
                       mix(colour, rgb(0xf0d890), 0.7f));
      }
      x += width;
    }
    fill_rectangle(canvas, {0.5f, shelf}, {0.5f, 0.013f}, rgb(0x7c4c24));
  }
  for (const float x : {between(s, 0.02f, 0.1f), between(s, 0.85f, 0.98f)})
    fill_rectangle(canvas, {x, 0.5f}, {0.014f, 0.5f}, rgb(0x6c4020));
}

void paint_scene(Canvas& canvas, const Shot& shot) {
  const RandomStream s(static_cast<std::int64_t>(shot.layout), "scene", Digest{});
  switch (shot.scene) {
    case SceneKind::studio:
      return paint_studio(canvas, s, shot.backdrop);
    case SceneKind::park:
      return paint_park(canvas, s);
    case SceneKind::beach:
      return paint_beach(canvas, s);
    case SceneKind::kitchen:
      return paint_kitchen(canvas, s);
    case SceneKind::library:
      return paint_library(canvas, s);
    case SceneKind::street:
      return paint_street(canvas, s);
    case SceneKind::mountains:
      return paint_mountains(canvas, s);
  }
}

}  // namespace atelier::render
