#include "render/draws.h"
#include "render/noise.h"
#include "render/scene.h"
#include "render/shapes.h"

namespace atelier::render {
namespace {

constexpr Area whole{{0, 0}, {1, 1}};

void paint_sky(Canvas& canvas, RandomStream& s, Rgb high, Rgb low, float horizon) {
  const std::uint32_t clouds = s.bits();
  const float cloudy = between(s, 0.45f, 0.7f);
  paint(canvas, whole, [&](Vec2 p) -> Paint {
    const float cloud =
        0.6f * smooth_noise(p.x * 4, p.y * 10, clouds) + 0.4f * smooth_noise(p.x * 9, p.y * 22, clouds + 1);
    return {mix(mix(high, low, share(p.y / horizon)), {0.95f, 0.95f, 0.97f}, 0.9f * rise(cloudy, cloudy + 0.2f, cloud)),
            1};
  });
}

void paint_ground(Canvas& canvas, float horizon, Rgb far, Rgb near, float grain, std::uint32_t seed) {
  paint(canvas, {{0, horizon}, {1, 1}}, [&](Vec2 p) -> Paint {
    const float depth = (p.y - horizon) / (1 - horizon);
    const float texture =
        smooth_noise(p.x * 30, p.y * 60, seed) * 0.6f + smooth_noise(p.x * 70, p.y * 90, seed + 1) * 0.4f;
    return {mix(far, near, depth) * (1 + grain * (texture - 0.5f)), cover(horizon - p.y, canvas.pixel())};
  });
}

void paint_tree(Canvas& canvas, RandomStream& s, Vec2 foot, float height) {
  fill_trapezoid(canvas, {foot.x, foot.y - 0.25f * height}, 0.26f * height, 0.035f * height, 0.06f * height,
                 rgb(0x5a3c22));
  const Rgb leaf = mix(rgb(0x1f6a26), rgb(0x4f9a32), static_cast<float>(s.uniform()));
  const std::uint32_t seed = s.bits();
  for (int i = 0; i < 7; ++i) {
    const Vec2 c{foot.x + between(s, -0.24f, 0.24f) * height, foot.y - between(s, 0.5f, 0.88f) * height};
    const float radius = between(s, 0.15f, 0.22f) * height;
    paint(canvas, around(c, radius * 1.2f, radius * 1.2f), [&](Vec2 p) -> Paint {
      const float leaves = smooth_noise(p.x * 45, p.y * 45, seed);
      const float lightness = 0.55f + 0.9f * leaves - 0.9f * (p.y - c.y) / radius * 0.5f;
      return {leaf * std::max(0.2f, lightness),
              cover(length(p - c) - radius * (0.85f + 0.25f * leaves), canvas.pixel())};
    });
  }
}

void paint_palm(Canvas& canvas, RandomStream& s, Vec2 foot, float height) {
  const Vec2 top{foot.x + between(s, -0.08f, 0.08f), foot.y - height};
  fill_stroke(canvas, foot, top, 0.013f, rgb(0x7a5a38));
  for (int i = 0; i < 7; ++i) {
    const float lean = -1 + static_cast<float>(i) / 3;
    const Vec2 tip{top.x + lean * 0.17f, top.y + 0.11f * lean * lean - 0.05f};
    const Vec2 bend{mix(top.x, tip.x, 0.55f), std::min(top.y, tip.y) - 0.02f};
    fill_stroke(canvas, top, bend, 0.013f, rgb(0x2c7a2c));
    fill_stroke(canvas, bend, tip, 0.009f, rgb(0x3a9038));
  }
}

void paint_bench(Canvas& canvas, Vec2 at, float size) {
  const Rgb wood = rgb(0x8a5228), iron = rgb(0x303034);
  for (const float leg : {-0.85f, 0.85f})
    fill_rectangle(canvas, {at.x + leg * size, at.y + 0.2f * size}, {0.06f * size, 0.55f * size}, iron);
  for (const float slat : {-0.45f, -0.2f, 0.15f})
    fill_rectangle(canvas, {at.x, at.y + slat * size}, {size, 0.09f * size}, wood);
}

// A range of hills: the height of its outline at x.
struct Ridge {
  float base, height, period;
  std::uint32_t seed;
  float at(float x) const {
    const float u = x / period, peak = std::fabs(u - floored(u) - 0.5f) * 2;
    const float rough =
        smooth_noise(x * 6, 0, seed) + 0.4f * smooth_noise(x * 22, 1, seed) + 0.15f * smooth_noise(x * 60, 2, seed);
    return base - height * (0.55f * peak + 0.45f * rough);
  }
};

void paint_house(Canvas& canvas, RandomStream& s, Area wall) {
  constexpr std::array<unsigned, 7> plaster{0xd8b48c, 0xc86a4c, 0xe8dcc0, 0x9aa8b4, 0xd8a0a0, 0xb4a878, 0x8c6a58};
  const Rgb colour = rgb(plaster[s.below(plaster.size())]);
  const Vec2 centre = (wall.from + wall.to) * 0.5f, half = (wall.to - wall.from) * 0.5f;
  fill_rectangle(canvas, centre, half, colour);
  fill_rectangle(canvas, {wall.to.x - 0.004f, centre.y}, {0.005f, half.y}, colour * 0.45f);
  const float roof = between(s, 0.03f, 0.08f);
  fill_trapezoid(canvas, {centre.x, wall.from.y - roof / 2}, roof / 2, half.x * 0.7f, half.x * 1.03f, rgb(0x7a3428));
  const float pitch = half.x * 2 / 3;
  for (float y = wall.from.y + 0.06f; y < wall.to.y - 0.12f; y += 0.12f)
    for (int i = 0; i < 2; ++i) {
      const Vec2 at{wall.from.x + pitch * (static_cast<float>(i) + 1), y};
      fill_rectangle(canvas, at, {pitch * 0.3f, 0.037f}, rgb(0xf4f0e8));
      fill_rectangle(canvas, at, {pitch * 0.24f, 0.031f}, chance(s, 0.25) ? rgb(0xf8dc80) : rgb(0x3c5064));
    }
  fill_rectangle(canvas, {centre.x, wall.to.y - 0.05f}, {pitch * 0.28f, 0.055f}, rgb(0x4a3020));
}

}  // namespace

void paint_park(Canvas& canvas, RandomStream s) {
  const float horizon = between(s, 0.48f, 0.58f);
  paint_sky(canvas, s, rgb(0x5a9ce0), rgb(0xc8e2f4), horizon);
  const std::uint32_t seed = s.bits();
  paint(canvas, whole, [&](Vec2 p) -> Paint {  // bushes far away
    const float outline = horizon - 0.05f - 0.07f * smooth_noise(p.x * 9, 0, seed);
    return {rgb(0x3a7440) * (0.7f + 0.6f * smooth_noise(p.x * 40, p.y * 40, seed)),
            cover(outline - p.y, canvas.pixel())};
  });
  paint_ground(canvas, horizon, rgb(0x74b044), rgb(0x4a8a2c), 0.8f, s.bits());
  const float path = between(s, 0.2f, 0.8f);
  fill(canvas, {{0, horizon}, {1, 1}}, rgb(0xd8c49c), [&](Vec2 p) {
    const float depth = p.y - horizon;
    return std::max(std::fabs(p.x - path + 0.3f * depth * (path - 0.5f)) - 0.02f - 0.28f * depth, horizon - p.y);
  });
  paint_bench(canvas, {chance(s, 0.5) ? 0.14f : 0.86f, horizon + 0.16f}, 0.1f);
  const int trees = 2 + static_cast<int>(s.below(3));
  for (int i = 0; i < trees; ++i) {
    const float x = (static_cast<float>(i) + between(s, 0.1f, 0.9f)) / static_cast<float>(trees);
    paint_tree(canvas, s, {x, horizon + between(s, 0.02f, 0.1f)}, between(s, 0.38f, 0.6f));
  }
}

void paint_beach(Canvas& canvas, RandomStream s) {
  const float horizon = between(s, 0.36f, 0.46f), shore = horizon + between(s, 0.18f, 0.26f);
  paint_sky(canvas, s, rgb(0x3c9cf0), rgb(0xcdeefa), horizon);
  const Vec2 sun{between(s, 0.1f, 0.9f), between(s, 0.07f, 0.16f)};
  fill_ellipse(canvas, sun, {0.06f, 0.06f}, rgb(0xfff0b0));
  const std::uint32_t seed = s.bits();
  paint(canvas, {{0, horizon}, {1, 1}}, [&](Vec2 p) -> Paint {
    const float depth = (p.y - horizon) / (shore - horizon);
    const float crest = smooth_noise(p.x * 12, p.y * 90, seed);
    return {mix(mix(rgb(0x1c6cb0), rgb(0x4cc4d0), depth), {0.95f, 1, 1}, rise(0.72f, 0.9f, crest)),
            cover(horizon - p.y, canvas.pixel())};
  });
  const std::uint32_t surf = s.bits();
  const auto line = [&](float x) { return shore + 0.03f * smooth_noise(x * 5, 0, surf); };
  fill(canvas, {{0, shore - 0.03f}, {1, 1}}, rgb(0xf8fcfc), [&](Vec2 p) { return line(p.x) - 0.015f - p.y; });
  paint(canvas, {{0, shore}, {1, 1}}, [&](Vec2 p) -> Paint {
    const float grain = 0.85f + 0.3f * smooth_noise(p.x * 60, p.y * 60, seed + 5);
    return {rgb(0xecd49c) * grain, cover(line(p.x) - p.y, canvas.pixel())};
  });
  const float boat = between(s, 0.1f, 0.9f), far = horizon + 0.035f;
  fill_trapezoid(canvas, {boat, far}, 0.014f, 0.05f, 0.032f, rgb(0x7a3020));
  fill(canvas, around({boat, far - 0.06f}, 0.05f, 0.06f), rgb(0xfcfaf4), [&](Vec2 p) {
    return std::max({boat - 0.002f - p.x, p.y - far + 0.016f, (p.x - boat) * 0.9f + (far - 0.11f - p.y) * 0.45f});
  });
  if (chance(s, 0.7)) {
    const bool left = chance(s, 0.5);
    paint_palm(canvas, s, {left ? 0.1f : 0.9f, shore + 0.12f}, between(s, 0.42f, 0.55f));
  }
}

void paint_mountains(Canvas& canvas, RandomStream s) {
  paint_sky(canvas, s, rgb(0x4484d0), rgb(0xdcecf6), 0.6f);
  for (int i = 0; i < 2; ++i) {
    const Ridge ridge{0.56f + 0.06f * static_cast<float>(i), 0.5f - 0.16f * static_cast<float>(i),
                      between(s, 0.45f, 0.7f), s.bits()};
    const Rgb rock = i == 0 ? rgb(0x74829a) : rgb(0x525e70);
    const float snow = i == 0 ? 0.38f : 0.36f;
    paint(canvas, whole, [&](Vec2 p) -> Paint {
      const float top = ridge.at(p.x), rough = smooth_noise(p.x * 28, p.y * 28, ridge.seed + 1);
      const float sunny = ridge.at(p.x - 0.02f) < ridge.at(p.x + 0.02f) ? 0.62f : 1.15f;
      const float white = rise(snow + 0.1f * (rough - 0.5f) + 0.02f, snow + 0.1f * (rough - 0.5f) - 0.02f, p.y);
      return {mix(rock * (0.75f + 0.5f * rough), {0.95f, 0.96f, 1}, white) * sunny, cover(top - p.y, canvas.pixel())};
    });
  }
  const float meadow = between(s, 0.58f, 0.66f);
  paint_ground(canvas, meadow, rgb(0x5c8a44), rgb(0x3e7030), 0.7f, s.bits());
  const int pines = 5 + static_cast<int>(s.below(5));
  for (int i = 0; i < pines; ++i) {
    const Vec2 foot{between(s, 0, 1), meadow + between(s, 0, 0.08f)};
    const float size = between(s, 0.1f, 0.22f);
    for (const float tier : {0.2f, 0.45f, 0.7f})
      fill_trapezoid(canvas, {foot.x, foot.y - tier * size}, 0.2f * size, 0.02f * size, (0.34f - 0.22f * tier) * size,
                     rgb(0x1e4a2c));
  }
}

void paint_street(Canvas& canvas, RandomStream s) {
  paint_sky(canvas, s, rgb(0x88a8c8), rgb(0xdce4ea), 0.5f);
  const float kerb = between(s, 0.68f, 0.74f);
  float x = between(s, -0.15f, 0);
  while (x < 1) {
    const float width = between(s, 0.2f, 0.3f);
    paint_house(canvas, s, {{x, between(s, 0.1f, 0.28f)}, {x + width, kerb}});
    x += width;
  }
  paint_ground(canvas, kerb, rgb(0x9a9a9c), rgb(0x56565c), 0.25f, s.bits());
  fill_rectangle(canvas, {0.5f, kerb + 0.05f}, {0.5f, 0.006f}, rgb(0xd8d8d4));
  const float post = chance(s, 0.5) ? between(s, 0.05f, 0.12f) : between(s, 0.88f, 0.95f);
  fill_rectangle(canvas, {post, 0.5f}, {0.009f, kerb - 0.45f}, rgb(0x1c1c20));
  fill_trapezoid(canvas, {post, 0.24f}, 0.045f, 0.045f, 0.025f, rgb(0xfcf0c0));
  fill_trapezoid(canvas, {post, 0.185f}, 0.014f, 0.01f, 0.052f, rgb(0x1c1c20));
}

}  // namespace atelier::render
