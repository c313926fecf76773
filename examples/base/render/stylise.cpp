#include "render/stylise.h"

#include "render/filters.h"
#include "render/noise.h"

namespace atelier::render {
namespace {

// A width that is `at_128` pixels in a picture of 128.
int scaled(float at_128, int side) {
  return std::max(1, static_cast<int>(at_128 * static_cast<float>(side) / 128 + 0.5f));
}
float grain(int x, int y, float size, std::uint32_t seed) {
  return smooth_noise(static_cast<float>(x) / size, static_cast<float>(y) / size, seed);
}

template <class Pixel>
Canvas each(int side, Pixel&& pixel) {
  Canvas out(side);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) out.at(x, y) = pixel(x, y);
  return out;
}

// Dark lines where the picture changes: a narrow blur minus a wide one (Winnemöller, "XDoG", 2011). 0 to 1.
Plane lines(const Plane& bright, float width, float strength) {
  const int side = bright.side_px();
  const Plane fine = blurred(bright, side >= 256 ? scaled(0.4f, side) : 0), wide = blurred(bright, scaled(width, side));
  Plane out(side);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) out.at(x, y) = rise(0.015f, 0.07f, strength * (wide.at(x, y) - fine.at(x, y)));
  return out;
}

// Parallel strokes: how dark one is at a place, for lines `gap` apart that run along `direction`.
float hatch(int x, int y, Vec2 direction, float gap, float width, std::uint32_t seed) {
  const float across = static_cast<float>(x) * direction.x + static_cast<float>(y) * direction.y;
  const float shaky = 0.35f * (grain(x, y, gap * 3, seed) - 0.5f);
  return rise(1 - width, 1, std::fabs(2 * ((across / gap + shaky) - floored(across / gap + shaky)) - 1));
}

Rgb more_colourful(Rgb c, float by) {
  const float grey = luma(c);
  return {share(grey + by * (c.r - grey)), share(grey + by * (c.g - grey)), share(grey + by * (c.b - grey))};
}

}  // namespace

Canvas drawn_in_ink(const Canvas& picture, std::uint32_t seed) {
  const Canvas values = encoded(picture);
  const Plane bright = brightness(values), soft = blurred(bright, scaled(1, picture.side_px()));
  const Plane edges = lines(bright, 1.6f, 1.6f);
  const float gap = 4.0f * static_cast<float>(picture.side_px()) / 128;
  return linear(each(picture.side_px(), [&](int x, int y) {
    const float v = soft.at(x, y);
    float ink = edges.at(x, y);
    ink = std::max(ink, rise(0.6f, 0.45f, v) * hatch(x, y, {0.7f, 0.7f}, gap, 0.5f, seed));
    ink = std::max(ink, rise(0.36f, 0.25f, v) * hatch(x, y, {0.7f, -0.7f}, gap, 0.55f, seed + 1));
    ink = std::max(ink, rise(0.2f, 0.13f, v));
    return mix(Rgb{0.97f, 0.95f, 0.90f}, {0.05f, 0.05f, 0.07f}, ink);
  }));
}

Canvas printed_as_poster(const Canvas& picture) {
  const int side = picture.side_px();
  const Canvas values = encoded(picture), flat = patched(values, scaled(2, side));
  const Plane edges = lines(brightness(values), 1.2f, 0.75f);
  constexpr float levels = 3;
  return linear(each(side, [&](int x, int y) {
    const Rgb c = more_colourful(flat.at(x, y), 1.7f);
    const float high = std::max({c.r, c.g, c.b, 0.001f});
    const float level = floored(high * levels + 0.5f) / levels;  // few steps of light, few of each hue
    const auto step = [&](float v) { return level * floored(v / high * 4 + 0.5f) / 4; };
    return mix(Rgb{step(c.r), step(c.g), step(c.b)}, {0.06f, 0.05f, 0.12f}, edges.at(x, y));
  }));
}

Canvas painted_in_oil(const Canvas& picture, std::uint32_t seed) {
  const int side = picture.side_px();
  const Canvas patches = patched(encoded(picture), scaled(2, side));
  const Plane bright = blurred(brightness(patches), scaled(2, side));
  const float bristle = static_cast<float>(side) / 128;
  Plane relief(side);  // the paint's thickness: noise drawn out along the strokes, which run along the edges
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const Slope g = slope_at(bright, x, y);
      const float size = std::sqrt(g.x * g.x + g.y * g.y), turned = grain(x, y, 10 * bristle, seed);
      Vec2 d = size > 0.004f ? Vec2{-g.y / size, g.x / size} : Vec2{turned, 1 - turned};
      const float l = std::max(length(d), 0.01f);
      float sum = 0;
      for (int i = -3; i <= 3; ++i) {
        const float reach = static_cast<float>(i) * 1.3f * bristle;
        sum += smooth_noise((static_cast<float>(x) + d.x / l * reach) / (1.3f * bristle),
                            (static_cast<float>(y) + d.y / l * reach) / (1.3f * bristle), seed + 1);
      }
      relief.at(x, y) = sum / 7;
    }
  return linear(each(side, [&](int x, int y) {
    const Slope g = slope_at(relief, x, y);
    const float light = 1 + 0.5f * (relief.at(x, y) - 0.5f) - 1.1f * (g.x + g.y) * bristle;
    return more_colourful(patches.at(x, y), 1.3f) * within(light, 0.6f, 1.5f);
  }));
}

Canvas stylised(Canvas picture, Style style, std::uint32_t seed) {
  switch (style) {
    case Style::photo:
      break;
    case Style::ink:
      return drawn_in_ink(picture, seed);
    case Style::poster:
      return printed_as_poster(picture);
    case Style::oil:
      return painted_in_oil(picture, seed);
  }
  return picture;
}

}  // namespace atelier::render
