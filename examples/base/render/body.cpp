#include "render/noise.h"
#include "render/palette.h"
#include "render/shapes.h"
#include "render/sitter.h"

namespace atelier::render {
namespace {

// The body stands upright below the head, in head units with the same origin; only its place follows the head's tilt.
struct Body {
  Vec2 origin;
  float unit, shoulders, neck;

  Vec2 at(Vec2 p) const { return (p - origin) * (1 / unit); }
  float top(float x) const {  // the shoulders' line
    const float u = std::fabs(x) / shoulders;
    return 1.32f + 0.3f * u * u + 2.2f * squared(std::max(0.0f, u - 0.78f)) / std::max(0.05f, 1.02f - u);
  }
  float below_shoulders(Vec2 b) const { return std::fabs(b.x) < shoulders ? b.y - top(b.x) : -1.0f; }
};

Body body_of(const Sitter& sitter) {
  const Vec2 chin = sitter.head.picture_of({0, 0.75f, -0.25f});
  const float unit = sitter.head.half_head();
  const bool man = sitter.person.presentation == Presentation::man;
  return {{chin.x, chin.y - 0.75f * unit},
          unit,
          sitter.person.shoulder_width,
          sitter.person.head_width * (man ? 0.62f : 0.46f)};
}

Vec3 torso_normal(const Body& body, Vec2 b) {
  const float u = b.x / body.shoulders, down = std::max(0.0f, b.y - body.top(b.x));
  return unit({0.75f * u, -0.9f * rise(0.35f, 0, down), 0.8f});
}

// Cloth's weave and folds: a factor of its brightness.
float weave(Garment garment, Vec2 b, std::uint32_t texture) {
  const float folds = 0.86f + 0.28f * smooth_noise(b.x * 3 + b.y, b.y * 1.5f, texture);
  if (garment == Garment::sweater) return folds * (0.88f + 0.16f * wave(b.x * 9) * (0.6f + 0.4f * wave(b.y * 7)));
  return folds;
}

// How deep the neckline is cut: where positive, skin shows.
float neckline(Garment garment, Vec2 b) {
  const float side = std::fabs(b.x);
  switch (garment) {
    case Garment::sweater:
      return -ellipse(b, {0, 1.15f}, {0.5f, 0.3f});
    case Garment::tshirt:
      return -ellipse(b, {0, 1.2f}, {0.62f, 0.42f});
    case Garment::dress:
      return std::min(-ellipse(b, {0, 1.2f}, {0.85f, 0.75f}), 0.8f - side);
    default:
      return 0.42f - side - 0.62f * (b.y - 1.1f);  // a V
  }
}

// Collar, seams and lapels upon the plain cloth.
Rgb trimmed(const Sitter& sitter, Rgb cloth, Vec2 b, float edge) {
  const float side = std::fabs(b.x);
  const Rgb dark = cloth * 0.45f;
  switch (sitter.shot.garment) {
    case Garment::sweater: {
      const float collar = std::fabs(ellipse(b, {0, 1.15f}, {0.58f, 0.38f})) - 0.075f;
      return mix(cloth, cloth * (0.62f + 0.2f * wave(b.x * 14)), cover(collar, edge));
    }
    case Garment::tshirt:
      return mix(cloth, dark, 0.6f * cover(std::fabs(ellipse(b, {0, 1.2f}, {0.66f, 0.46f})) - 0.03f, edge));
    case Garment::shirt: {
      const float flap = std::max(0.36f - side - 0.35f * (b.y - 1.25f),
                                  std::max(b.y - 1.72f + 0.9f * std::fabs(side - 0.36f), 1.0f - b.y));
      Rgb out = mix(cloth, dark, 0.8f * cover(std::fabs(side) - 0.012f, edge));
      const float row = b.y - 0.22f * floored(b.y / 0.22f) - 0.11f;
      out =
          mix(out, {0.85f, 0.85f, 0.85f}, cover(length({b.x - 0.05f, row}) - 0.03f, edge) * (b.y > 1.6f ? 1.0f : 0.0f));
      out = mix(out, mix(cloth, {1, 1, 1}, 0.3f), cover(flap, edge));
      return mix(out, dark, cover(std::fabs(flap) - 0.014f, edge));
    }
    case Garment::jacket: {
      const float open = 0.62f - side - 0.42f * (b.y - 1.1f);  // the shirt under it
      const float lapel = open + 0.24f - 0.1f * rise(1.5f, 2.2f, b.y);
      const float notch = std::fabs(b.y - 1.72f - 0.5f * (side - 0.5f)) - 0.016f;
      Rgb out = mix(cloth, cloth * 0.65f, cover(-lapel, edge));
      out =
          mix(out, dark * 0.6f, std::max(cover(std::fabs(lapel) - 0.014f, edge), cover(std::max(notch, -lapel), edge)));
      const Rgb shirt = sitter.shot.garment_colour == Colour::white ? rgb(0x30405c) : rgb(0xf2f0ec);
      return mix(out, mix(shirt, shirt * 0.5f, cover(side - 0.012f, edge)), cover(-open, edge));
    }
    case Garment::dress:
      break;
  }
  const float dot_x = b.x * 3.2f - floored(b.x * 3.2f) - 0.5f, dot_y = b.y * 3.2f - floored(b.y * 3.2f) - 0.5f;
  const Rgb spot = luma(cloth) > 0.5f ? rgb(0x383848) : rgb(0xf8f4ec);
  return mix(cloth, spot, 0.85f * cover(length({dot_x, dot_y}) - 0.17f, edge * 3.2f));
}

Paint neck_at(const Sitter& sitter, const Body& body, Vec2 p, float pixel) {
  const Vec2 b = body.at(p);
  if (b.y < 0.4f || b.y > 2.2f) return {};
  const float half = body.neck + 0.5f * squared(std::max(0.0f, b.y - 1.1f));
  const float u = b.x / half;
  const float covered = share(0.5f + (half - std::fabs(b.x)) * body.unit / pixel);
  const float shadow = rise(1.45f, 0.95f, b.y + 0.12f * b.x * b.x);  // the chin's
  const Vec3 normal = unit({0.85f * u, -0.1f, 0.8f});
  return {lit(sitter.light, normal,
              {skin_of(sitter.person) * Rgb{0.98f, 0.9f, 0.88f} * (1 - 0.5f * shadow), 1 - 0.65f * shadow}),
          covered};
}

}  // namespace

void paint_body(Canvas& canvas, const Sitter& sitter) {
  const Body body = body_of(sitter);
  const float pixel = canvas.pixel(), edge = pixel / body.unit;
  const Rgb cloth = colour_of(sitter.shot.garment_colour), skin = skin_of(sitter.person);
  const Area all{{0, body.origin.y + 0.4f * body.unit}, {1, 1}};
  paint(canvas, all, [&](Vec2 p) { return neck_at(sitter, body, p, pixel); });
  paint(canvas, all, [&](Vec2 p) -> Paint {
    const Vec2 b = body.at(p);
    const float covered = share(0.5f + body.below_shoulders(b) / edge);
    if (covered <= 0) return {};
    const float cut = neckline(sitter.shot.garment, b);
    const float bare = share(0.5f + cut / edge);
    const Vec3 normal = torso_normal(body, b);
    const float shadow = rise(0.7f, 0.1f, length({b.x, b.y - 1.15f}));
    const float collarbones = 0.12f * hill(squared((std::fabs(b.y - 1.62f - 0.1f * std::fabs(b.x))) / 0.05f));
    const Rgb chest = lit(sitter.light, normal, {skin * (1 - collarbones), 1 - 0.4f * shadow});
    if (bare >= 1) return {chest, covered};
    const Rgb weft = trimmed(sitter, cloth, b, edge) * weave(sitter.shot.garment, b, sitter.texture);
    const float under = 1 - 0.35f * rise(0.9f, 0.2f, length({b.x * 0.8f, b.y - 1.1f}));
    return {mix(lit(sitter.light, normal, {weft, under}), chest, bare), covered};
  });
}

}  // namespace atelier::render
