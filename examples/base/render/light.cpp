#include "render/light.h"

namespace atelier::render {

Light light_of(LightKind kind) {
  switch (kind) {
    case LightKind::soft:
      return {unit({-0.25f, -0.5f, 1}), {0.78f, 0.77f, 0.75f}, {0.42f, 0.42f, 0.44f}};
    case LightKind::left:
      return {unit({-0.9f, -0.4f, 0.65f}), {1.0f, 0.98f, 0.94f}, {0.27f, 0.28f, 0.32f}};
    case LightKind::right:
      return {unit({0.9f, -0.4f, 0.65f}), {1.0f, 0.98f, 0.94f}, {0.27f, 0.28f, 0.32f}};
    case LightKind::warm:
      return {unit({0.5f, -0.3f, 0.8f}), {1.08f, 0.84f, 0.58f}, {0.38f, 0.33f, 0.29f}};
    case LightKind::cool:
      break;
  }
  return {unit({-0.4f, -0.7f, 0.7f}), {0.72f, 0.78f, 0.9f}, {0.32f, 0.35f, 0.42f}};
}

Rgb lit(const Light& light, Vec3 normal, const Surface& surface) {
  constexpr float wrap = 0.25f;  // how far light reaches around the terminator
  const float diffuse = std::max(0.0f, (dot(normal, light.towards) + wrap) / (1 + wrap));
  const float sky = surface.openness * (0.8f - 0.3f * normal.y);
  Rgb out = surface.colour * (light.key * (diffuse * mix(0.45f, 1.0f, surface.openness)) + light.ambient * sky);
  if (surface.gloss > 0) {
    const Vec3 half = unit(light.towards + Vec3{0, 0, 1});
    out = out + light.key * (surface.gloss * power2(std::max(0.0f, dot(normal, half)), surface.sharpness));
  }
  return out;
}

}  // namespace atelier::render
