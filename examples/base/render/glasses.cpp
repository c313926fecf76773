#include "render/shapes.h"
#include "render/sitter.h"

namespace atelier::render {
namespace {

// The distance to the nearer lens' rim; the lenses lie around the eyes.
float rim(const Person& person, Vec2 at) {
  const Vec2 d{std::fabs(at.x) - person.eye_spacing - 0.015f, at.y - 0.02f};
  if (person.glasses == Glasses::round) return length(d) - 0.225f;
  const float corner = 0.05f;
  return rectangle(d, {}, {0.24f - corner, 0.175f - corner}) - corner;
}

}  // namespace

void paint_glasses(Canvas& canvas, const Sitter& sitter) {
  if (sitter.person.glasses == Glasses::none) return;
  const float pixel = canvas.pixel(), edge = pixel / sitter.head.half_head();
  constexpr float depth = 0.82f, half_frame = 0.026f;
  const Rgb frame = sitter.person.glasses == Glasses::round ? Rgb{0.06f, 0.03f, 0.02f} : Rgb{0.01f, 0.01f, 0.012f};
  paint(canvas, sitter.head.area(1.0f), [&](Vec2 p) -> Paint {
    const Vec2 at = sitter.head.plane_at(p, depth);
    if (std::fabs(at.y) > 0.4f) return {};
    const float distance = rim(sitter.person, at);
    const float inner = sitter.person.eye_spacing - 0.2f;
    const float bridge = std::fabs(at.x) < inner ? std::fabs(at.y + 0.02f - 0.3f * squared(at.x)) - 0.022f : 1.0f;
    float covered = std::max(cover(std::fabs(distance) - half_frame, edge), cover(bridge, edge));
    const auto hit = sitter.head.face_at(p, pixel);  // the temples run along the head
    if (hit.cover > 0.5f && distance > 0 && std::fabs(at.x) > sitter.person.eye_spacing + 0.1f)
      covered = std::max(covered, cover(std::fabs(hit.place.y + 0.03f) - 0.024f, edge));
    if (covered > 0 || distance > 0) return {frame, covered};
    const float glare =
        rise(0.03f, 0, std::fabs(at.x - mix(0.12f, 0.2f, at.y) + at.y * 0.7f - (at.x > 0 ? 0.25f : -0.4f)));
    return {{1, 1, 1}, 0.04f + 0.16f * glare};
  });
}

}  // namespace atelier::render
