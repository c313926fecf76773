#include "render/noise.h"
#include "render/palette.h"
#include "render/shapes.h"
#include "render/sitter.h"

namespace atelier::render {
namespace {

constexpr float mouth_y = 0.6f;
constexpr Rgb lash{0.008f, 0.006f, 0.006f};

// An eye in its own frame: u from the inner to the outer corner, -1 to 1, and v down in half heights.
struct EyeFrame {
  float u = 0, v = 0;
};

Rgb eyeball(const Sitter& sitter, Vec2 from_centre, EyeFrame f, float edge) {
  const Person& person = sitter.person;
  const float radius = person.eye_size * 0.56f;
  const Vec2 gaze{-sitter.shot.yaw * 0.0012f, -sitter.shot.pitch * 0.001f};  // the eyes stay on the viewer
  const float from_iris = length(from_centre - gaze);
  Rgb colour = mix(rgb(0xf6f2ee), rgb(0xb8aca8), rise(0.2f, -0.9f, f.v));  // the upper lid's shadow
  const Rgb iris = eyes_of(person.eye_colour) * mix(0.55f, 1.5f, share(from_centre.y / radius + 0.5f));
  colour = mix(colour, iris, cover(from_iris - radius, edge));
  colour = mix(colour, iris * 0.2f, 0.7f * cover(std::fabs(from_iris - radius) - 0.012f, edge));
  colour = mix(colour, lash, cover(from_iris - radius * 0.45f, edge));
  const Vec2 catchlight{gaze.x - 0.3f * radius, gaze.y - 0.35f * radius};
  return mix(colour, {1.2f, 1.2f, 1.2f}, cover(length(from_centre - catchlight) - radius * 0.24f, edge));
}

Rgb with_eye(const Sitter& sitter, Rgb skin, Vec2 at, float edge) {
  const Person& person = sitter.person;
  const bool woman = person.presentation == Presentation::woman;
  const float mirror = at.x < 0 ? -1.0f : 1.0f;
  const Vec2 d{std::fabs(at.x) - person.eye_spacing, at.y};
  const float smile = sitter.shot.expression == Expression::smiling ? 0.82f : 1;
  const float half_height = person.eye_size * (woman ? 0.56f : 0.48f) * smile;
  const float u = d.x / person.eye_size, v = (d.y + person.eye_tilt * u) / half_height;
  if (std::fabs(u) > 1.7f || std::fabs(v) > 3) return skin;
  const float arch = std::max(0.0f, 1 - u * u);
  const float upper = (v + arch) * half_height, lower = (0.72f * arch - v) * half_height;  // inside where both > 0
  const float line = woman ? 0.034f : 0.022f;
  Rgb colour = skin;
  colour = mix(colour, skin * Rgb{0.62f, 0.5f, 0.48f},  // crease of the upper lid
               0.7f * cover(std::fabs(upper + 0.075f) - 0.012f, edge) * rise(1.15f, 0.7f, std::fabs(u)));
  const float open = std::min(cover(-upper, edge), cover(-lower, edge)) * (std::fabs(u) < 1 ? 1.0f : 0.0f);
  colour = mix(colour, eyeball(sitter, {mirror * d.x, d.y}, {u, v}, edge), open);
  colour = mix(colour, skin * Rgb{0.5f, 0.36f, 0.34f},
               0.6f * cover(std::fabs(lower) - 0.012f, edge) * rise(1.05f, 0.8f, std::fabs(u)));
  const float wing = woman ? 0.25f : 0.05f;  // lashes beyond the outer corner
  const float lid = cover(std::fabs(upper + 0.4f * line) - line * (0.75f + 0.35f * u), edge);
  return mix(colour, lash, lid * rise(1.02f + (u > 0 ? wing : 0), 0.98f, std::fabs(u)));
}

Rgb with_brow(const Sitter& sitter, Rgb skin, Vec2 at, float edge) {
  const Person& person = sitter.person;
  const bool woman = person.presentation == Presentation::woman;
  const float u = (std::fabs(at.x) - person.eye_spacing) / (person.eye_size * 1.35f);
  if (std::fabs(u) > 1.1f) return skin;
  const float lift = sitter.shot.expression == Expression::smiling ? 0.02f : 0;
  const float arch = woman ? 0.055f : 0.025f;
  const float line = -0.235f - lift - arch * (1 - squared(u - 0.25f)) + 0.03f * u;
  const float half = person.brow_thickness * mix(1.0f, 0.45f, rise(0.1f, 1, u)) * rise(1.05f, 0.85f, std::fabs(u));
  const Rgb hair = mix(hair_of(person.hair_colour), lash, person.hair_colour == HairColour::black ? 0.5f : 0.45f);
  const float strands = 0.75f + 0.25f * smooth_noise(at.x * 60, at.y * 30, sitter.texture);
  return mix(
      skin, hair,
      strands * share(0.5f + (half - std::fabs(at.y - line)) / std::max(edge, 0.02f)) * (half > 0.004f ? 1.0f : 0.0f));
}

Rgb with_mouth(const Sitter& sitter, Rgb skin, Vec2 at, float edge) {
  const Person& person = sitter.person;
  const bool woman = person.presentation == Presentation::woman,
             smiling = sitter.shot.expression == Expression::smiling;
  const float width = person.mouth_width * (smiling ? 1.22f : 1);
  const float u = at.x / width;
  if (std::fabs(u) > 1.2f || at.y < 0.3f) return skin;
  const float curve = smiling ? 0.09f : sitter.shot.expression == Expression::slight ? 0.045f : -0.012f;
  const float arch = std::max(0.0f, 1 - u * u), y = at.y - mouth_y + curve * (u * u - 0.4f);
  const float full = mix(0.045f, 0.085f, person.lip_fullness);
  const float open = smiling ? 0.075f * arch : 0;
  const float bow = 1 - 0.35f * hill(squared(u / 0.2f));
  const float upper = full * std::sqrt(arch) * bow, lower = open + 1.25f * full * arch;
  const Rgb lip = woman ? mix(skin * Rgb{0.85f, 0.42f, 0.42f}, rgb(0xc02c44), 0.5f) : skin * Rgb{0.78f, 0.52f, 0.5f};
  Rgb colour = skin;
  const float inside = std::min(cover(-(y + upper), edge), cover(y - lower, edge)) * (arch > 0 ? 1.0f : 0.0f);
  colour = mix(colour, y > open ? lip * 1.12f : lip * 0.9f, inside);
  if (smiling) {
    const float gap = std::min(cover(-y, edge), cover(y - open, edge)) * (arch > 0.02f ? 1.0f : 0.0f);
    colour = mix(colour, mix(rgb(0xf4f0ea), rgb(0x50201c), rise(0.6f, 1, std::fabs(u))), gap);
  }
  const float line = cover(std::fabs(y) - 0.012f, edge) * rise(1.06f, 0.98f, std::fabs(u));
  return mix(colour, lip * Rgb{0.22f, 0.14f, 0.14f}, line * (smiling ? 0.55f : 0.95f));
}

Rgb with_nose(const Sitter& sitter, Rgb skin, Vec2 at, float edge) {
  const float width = sitter.person.nose_width, side = std::fabs(at.x), base = sitter.person.nose_length + 0.045f;
  const float nostril = ellipse({side, at.y}, {width * 0.55f, base}, {width * 0.3f, 0.024f});
  const float crease = std::fabs(length({(side - width * 0.75f), (at.y - base + 0.045f)}) - 0.075f);
  Rgb colour = mix(skin, skin * Rgb{0.24f, 0.14f, 0.13f}, 0.9f * cover(nostril, edge));
  const float outer = side > width * 0.85f && at.y > base - 0.1f && at.y < base + 0.05f ? 1.0f : 0.0f;
  return mix(colour, skin * Rgb{0.6f, 0.47f, 0.45f}, 0.6f * outer * rise(0.03f, 0.005f, crease));
}

}  // namespace

Rgb face_colour(const Sitter& sitter, Vec2 at, float edge) {
  Rgb skin = skin_of(sitter.person);
  const float side = std::fabs(at.x);
  const float blush = sitter.person.presentation == Presentation::woman ? 0.35f : 0.2f;
  skin = mix(skin, skin * Rgb{1.02f, 0.72f, 0.7f},
             blush * hill(squared((side - 0.4f) / 0.26f) + squared((at.y - 0.28f) / 0.2f)));
  skin = mix(skin, skin * Rgb{1, 0.8f, 0.78f}, 0.35f * hill(squared(at.x / 0.14f) + squared((at.y - 0.36f) / 0.12f)));
  if (at.y > 0.5f) return with_mouth(sitter, skin, at, edge);
  if (at.y > 0.22f) return with_mouth(sitter, with_nose(sitter, skin, at, edge), at, edge);
  return with_brow(sitter, with_eye(sitter, skin, at, edge), at, edge);
}

}  // namespace atelier::render
