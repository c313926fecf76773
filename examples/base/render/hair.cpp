#include "render/noise.h"
#include "render/palette.h"
#include "render/shapes.h"
#include "render/sitter.h"

namespace atelier::render {
namespace {

bool hangs(HairStyle style) { return style == HairStyle::flowing || style == HairStyle::curly; }

// Strands: noise drawn out along the hair, and a bright band across it where the light glances off (after Kajiya and
// Kay, "Rendering fur with three dimensional textures", 1989). `across` and `along` are in head units.
Rgb strands(const Sitter& sitter, Vec2 run, Vec3 normal, float openness) {
  const bool curly = sitter.person.hair_style == HairStyle::curly;
  const Rgb hair = hair_of(sitter.person.hair_colour);
  float fine = curly ? smooth_noise(run.x * 9, run.y * 9, sitter.texture)
                     : smooth_noise(run.x * 34, run.y * 2.5f, sitter.texture);
  const float broad = smooth_noise(run.x * (curly ? 5 : 9), run.y * (curly ? 5 : 1.5f), sitter.texture + 1);
  if (curly) fine = 1.6f * fine * fine;
  const float glance = dot(normal, unit(sitter.light.towards + Vec3{0, -0.35f, 0.6f}));
  const float band = power2(rise(0.6f, 1, glance), 2) * (0.4f + 0.6f * fine);
  const float shade = 0.45f + 0.5f * fine + 0.4f * broad;
  const Rgb sheen = mix(hair, {1, 1, 1}, 0.35f) * (0.05f + 0.5f * luma(hair) + 0.12f);
  return lit(sitter.light, normal, {hair * shade, openness}) + sitter.light.key * sheen * band;
}

// Half the width of hair that hangs, at a height; 0 above it and below its ends.
float hanging_half_width(const Sitter& sitter, float y) {
  const Person& person = sitter.person;
  const float outer = person.head_width + person.hair_volume;
  if (person.hair_style == HairStyle::curly) {
    const float end = 1.15f, middle = 0.15f;
    return y > end ? 0
                   : (outer + 0.22f) * std::sqrt(std::max(0.0f, 1 - power2((y - middle) / (end - middle + 0.1f), 1)));
  }
  const float flare = 0.1f * rise(0, 1.4f, y);
  if (y < 0) return outer * std::sqrt(std::max(0.0f, 1 - squared(y / (1.05f + person.hair_volume))));
  return (outer + flare) * rise(2.15f, 1.75f, y);
}

// The border of the face's opening in the hair: negative where there is hair.
float opening(const Person& person, Vec3 q) {
  const bool close = person.hair_style == HairStyle::cropped || person.hair_style == HairStyle::bun;
  const float high = person.hair_style == HairStyle::bun ? -0.62f : mix(-0.66f, -0.24f, person.fringe);
  const float parted = person.fringe < 0.3f ? 0.3f * hill(squared((q.x - person.parting) / 0.5f)) - 0.12f : 0.0f;
  const float middle = 0.15f, reach = middle - high + 0.4f * parted;
  const float width = person.head_width * (close ? 0.93f : 0.84f);
  const float v = q.y < middle ? (q.y - middle) / reach : 0;
  return 1 - squared(q.x / width) * (0.55f + 0.45f * squared(q.x / width)) - power2(v, 1) * (0.6f + 0.4f * v * v);
}

// The hair upon the head, and how far down it reaches at the sides: to the ears, past the jaw, or to the shoulders.
struct Cap {
  Shell shell;
  float low;
};
Cap cap_of(const Person& person) {
  const bool curly = person.hair_style == HairStyle::curly, bun = person.hair_style == HairStyle::bun;
  const float volume = bun ? 0.03f : person.hair_volume + (curly ? 0.12f : 0);
  const float cropped = person.presentation == Presentation::woman ? 0.55f : 0.12f;
  return {{{0, -0.1f, -0.06f}, {person.head_width + volume, 1.0f + volume * 0.9f, 0.84f + volume}},
          hangs(person.hair_style) ? 0.85f
          : bun                    ? 0.02f
                                   : cropped};
}

void paint_knot(Canvas& canvas, const Sitter& sitter) {
  const Shell knot{{0, -1.12f, -0.25f}, {0.36f, 0.32f, 0.34f}};
  const float reach = 0.5f * sitter.head.half_head();
  paint(canvas, around(sitter.head.picture_of(knot.centre), reach, reach), [&](Vec2 p) -> Paint {
    const auto hit = sitter.head.shell_at(p, canvas.pixel(), knot);
    if (hit.cover <= 0) return {};
    const Vec3 q = hit.place - knot.centre;
    return {strands(sitter, {q.y + 0.5f * q.x * q.x, q.x}, hit.normal, 0.8f), hit.cover};
  });
}

// Hair behind the neck, and behind the head's far side.
void paint_hanging(Canvas& canvas, const Sitter& sitter) {
  const bool curly = sitter.person.hair_style == HairStyle::curly;
  const float edge = 1.5f * canvas.pixel() / sitter.head.half_head();
  paint(canvas, sitter.head.area(curly ? 1.5f : 2.4f), [&](Vec2 p) -> Paint {
    const Vec2 at = sitter.head.plane_at(p, -0.25f);
    const float side = at.x < 0 ? -1.0f : 1.0f;
    const float bumps = curly ? 0.16f * (smooth_noise(at.x * 5, at.y * 5, sitter.texture + 2) - 0.5f)
                              : 0.07f * (smooth_noise(side * 3, at.y * 2.2f, sitter.texture + 2) - 0.5f);
    const float half = hanging_half_width(sitter, at.y) + bumps, inside = half - std::fabs(at.x);
    if (half <= 0.1f || inside < -edge) return {};
    const Vec3 normal = unit({0.9f * at.x / half, -0.1f, 0.75f});
    const float open = mix(0.35f, 0.8f, rise(0.45f, 0.8f, std::fabs(at.x)));  // dark beside the neck
    return {strands(sitter, {at.x + 0.06f * wave(at.y * 0.7f), at.y}, normal, open), share(0.5f + inside / edge)};
  });
}

// Locks that fall over the shoulders.
void paint_locks(Canvas& canvas, const Sitter& sitter) {
  const float width = sitter.person.head_width;
  paint(canvas, sitter.head.area(2.4f), [&](Vec2 p) -> Paint {
    const Vec2 at = sitter.head.plane_at(p, 0.1f);
    const float side = std::fabs(at.x), outer = hanging_half_width(sitter, at.y) - 0.02f;
    if (at.y < 0.1f || side > outer + 0.1f) return {};
    const float inner = mix(width * 0.94f, width * 0.72f, rise(0.5f, 1.3f, at.y));
    const float wavy = 0.05f * (smooth_noise(at.y * 2, at.x < 0 ? 0 : 7, sitter.texture + 5) - 0.5f);
    const float inside = std::min(outer - side, side - inner) + wavy;
    if (inside < -0.05f) return {};
    const Vec3 normal = unit({(at.x < 0 ? -1.0f : 1.0f) * (side - 0.5f * (inner + outer)) * 3, -0.1f, 0.8f});
    return {strands(sitter, {at.x + 0.05f * wave(at.y * 0.6f), at.y}, normal, 0.9f),
            share(0.5f + inside / 0.04f) * rise(0.1f, 0.4f, at.y)};
  });
}

}  // namespace

void paint_hair_behind(Canvas& canvas, const Sitter& sitter) {
  const HairStyle style = sitter.person.hair_style;
  if (style == HairStyle::bald) return;
  if (style == HairStyle::bun) paint_knot(canvas, sitter);
  if (hangs(style)) paint_hanging(canvas, sitter);
  // The inside of the cap, which shows between the face and the hair at its far side.
  const Cap cap = cap_of(sitter.person);
  const Rgb dark = hair_of(sitter.person.hair_colour) * sitter.light.ambient * 0.5f;
  paint(canvas, sitter.head.area(1.4f), [&](Vec2 p) -> Paint {
    const auto hit = sitter.head.shell_at(p, canvas.pixel(), cap.shell);
    return {dark, hit.cover * rise(cap.low + 0.06f, cap.low - 0.06f, hit.place.y)};
  });
}

void paint_hair_in_front(Canvas& canvas, const Sitter& sitter) {
  const Person& person = sitter.person;
  if (person.hair_style == HairStyle::bald) return;
  const bool curly = person.hair_style == HairStyle::curly, bun = person.hair_style == HairStyle::bun;
  const float pixel = canvas.pixel();
  const auto [shell, low] = cap_of(person);
  paint(canvas, sitter.head.area(1.6f), [&](Vec2 p) -> Paint {
    const auto hit = sitter.head.shell_at(p, pixel, shell);
    if (hit.cover <= 0) return {};
    const Vec3 q = hit.place;
    const float jagged = smooth_noise(q.x * (curly ? 8 : 17), q.y * (curly ? 8 : 3), sitter.texture + 3) - 0.5f;
    const float hole = q.z > 0 ? opening(person, q) : -1;
    const float soft = bun ? 0.06f : 0.05f, ragged = (curly ? 0.35f : bun ? 0.05f : 0.16f) * jagged;
    const float around = rise(soft, -soft, hole + ragged);
    const float down = rise(low + 0.06f, low - 0.06f, q.y + 0.1f * jagged);
    if (around * down <= 0) return {};
    const float spread = mix(1, 0.45f, rise(-1, 0.2f, q.y));
    const Vec2 run{(q.x - person.parting * rise(0.3f, -0.9f, q.y)) * spread / (0.4f + 0.6f * std::max(0.2f, -q.y)),
                   q.y};
    const float bump = curly ? smooth_noise(q.x * 6, q.y * 6, sitter.texture + 4) - 0.5f : 0;
    const Vec3 normal = unit(hit.normal + Vec3{bump, bump * 0.6f, 0});
    const float open = mix(0.55f, 1, rise(0, -0.5f, hole));  // it throws a shadow on itself where it ends
    const float part = person.fringe < 0.3f && !curly && !bun
                           ? hill(squared((q.x - person.parting) / 0.03f)) * rise(-0.62f, -0.75f, q.y)
                           : 0;
    return {strands(sitter, run, normal, open) * (1 - 0.6f * part), hit.cover * around * down};
  });
  if (person.hair_style == HairStyle::flowing) paint_locks(canvas, sitter);
}

}  // namespace atelier::render
