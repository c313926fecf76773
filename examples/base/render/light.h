// render: the light on a sitter, and how a surface answers it.
#pragma once
#include "render/attributes.h"
#include "render/vectors.h"

namespace atelier::render {

struct Light {
  Vec3 towards;  // from the surface to the lamp, as the viewer sees it; length 1
  Rgb key, ambient;
};
Light light_of(LightKind kind);

// How a surface is: its colour, how much of the sky it sees, how much and how sharply it shines.
struct Surface {
  Rgb colour;
  float openness = 1;
  float gloss = 0;
  int sharpness = 3;  // the exponent is 2^sharpness
};
// Lambert, softened at the terminator, and Blinn's highlight.
Rgb lit(const Light& light, Vec3 normal, const Surface& surface);

}  // namespace atelier::render
