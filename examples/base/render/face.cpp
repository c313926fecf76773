#include "render/noise.h"
#include "render/palette.h"
#include "render/shapes.h"
#include "render/sitter.h"

namespace atelier::render {
namespace {

constexpr float mouth_y = 0.6f;

// Darker where less of the sky is seen: beside the nose, under the lower lip, in the eye sockets, at the hairline.
float openness_at(const Person& person, Vec3 q) {
  const float side = std::fabs(q.x), tip = person.nose_length;
  float open = 1;
  open -= 0.5f * hill(squared((side - 0.09f) / 0.12f) + squared((q.y - tip - 0.07f) / 0.09f));
  open -= 0.35f * hill(squared(q.x / 0.2f) + squared((q.y - mouth_y - 0.15f) / 0.06f));
  open -= 0.4f * hill(squared((side - 0.16f) / 0.1f) + squared(q.y / 0.16f));
  open -= 0.3f * rise(-0.35f, -0.7f, q.y);
  open -= 0.25f * rise(0.4f, 0.75f, side);
  return std::max(open, 0.1f);
}

}  // namespace

void paint_face(Canvas& canvas, const Sitter& sitter) {
  const float pixel = canvas.pixel(), edge = pixel / sitter.head.half_head();
  const float gloss = sitter.person.presentation == Presentation::woman ? 0.06f : 0.09f;
  paint(canvas, sitter.head.area(1.06f), [&](Vec2 p) -> Paint {
    const auto hit = sitter.head.face_at(p, pixel);
    if (hit.cover <= 0) return {};
    const Rgb colour = hit.place.z > 0 ? face_colour(sitter, {hit.place.x, hit.place.y}, edge) : skin_of(sitter.person);
    const Surface surface{colour, openness_at(sitter.person, hit.place), gloss, 4};
    return {lit(sitter.light, hit.normal, surface), hit.cover};
  });
}

void paint_ears(Canvas& canvas, const Sitter& sitter) {
  const float pixel = canvas.pixel();
  const Rgb skin = skin_of(sitter.person) * Rgb{1, 0.9f, 0.86f};
  for (const float side : {-1.0f, 1.0f}) {
    const Shell ear{{side * (sitter.person.head_width + 0.01f), 0.1f, -0.08f}, {0.1f, 0.21f, 0.13f}};
    const Vec2 centre = sitter.head.picture_of(ear.centre);
    paint(canvas, around(centre, 0.3f * sitter.head.half_head(), 0.3f * sitter.head.half_head()), [&](Vec2 p) -> Paint {
      const auto hit = sitter.head.shell_at(p, pixel, ear);
      const Vec3 q = hit.place - ear.centre;
      const float hollow = hill(squared(q.x / 0.06f) + squared((q.y + 0.02f) / 0.13f));
      return {lit(sitter.light, hit.normal, {skin, 1 - 0.6f * hollow, 0.03f, 3}), hit.cover};
    });
  }
}

// Moustache and beard lie on the face itself: hair strands instead of skin, and a little volume at the outline.
void paint_beard(Canvas& canvas, const Sitter& sitter) {
  if (sitter.person.beard == Beard::none) return;
  const bool full = sitter.person.beard == Beard::full;
  const float pixel = canvas.pixel(), edge = 0.05f;
  const Shell shell{{0, 0.42f, 0.12f}, {sitter.head.half_width_at(0.5f) + 0.06f, 0.7f, 0.8f}};
  const Rgb hair = hair_of(sitter.person.hair_colour) * Rgb{0.9f, 0.85f, 0.8f};
  const float base = sitter.person.nose_length + 0.08f;
  const float mouth = sitter.person.mouth_width * (sitter.shot.expression == Expression::smiling ? 1.15f : 1);
  paint(canvas, sitter.head.area(1.3f), [&](Vec2 p) -> Paint {
    const auto hit = full ? sitter.head.shell_at(p, pixel, shell) : sitter.head.face_at(p, pixel);
    if (hit.cover <= 0 || hit.place.z < -0.2f) return {};
    const float x = hit.place.x, y = hit.place.y, side = std::fabs(x);
    const float strands = smooth_noise(x * 26, y * 9 - side * 6, sitter.texture);
    const float jitter = 0.06f * (strands - 0.5f);
    const float lip = std::max((side - mouth * 1.15f) / mouth, 0.0f);
    const float moustache = std::min(rise(base + jitter - edge, base + jitter + edge, y + 0.25f * squared(side)),
                                     rise(mouth_y + 0.01f, mouth_y - 0.07f, y - 0.35f * side) * rise(0.35f, 0.1f, lip));
    const float cheek_line = mix(0.6f, 0.05f, share((side - 0.22f) / 0.4f)) + jitter;
    const float around_mouth = ellipse({x, y}, {0, mouth_y + 0.03f}, {mouth * 1.05f, 0.12f});
    const float beard = full ? rise(cheek_line - edge, cheek_line + edge, y) * rise(-0.01f, 0.05f, around_mouth) : 0;
    const float shade = 0.65f + 0.7f * strands;
    return {lit(sitter.light, hit.normal, {hair * shade, 0.9f, 0.04f, 3}), hit.cover * std::max(moustache, beard)};
  });
}

}  // namespace atelier::render
