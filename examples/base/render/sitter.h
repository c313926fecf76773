// render: the person in the picture, layer by layer from the back to the front. Each function paints one layer.
#pragma once
#include "render/canvas.h"
#include "render/head_surface.h"
#include "render/light.h"

namespace atelier::render {

struct Sitter {
  const Person& person;
  const Shot& shot;
  HeadSurface head;
  Light light;
  std::uint32_t texture;  // of hair and cloth
};

void paint_hair_behind(Canvas& canvas, const Sitter& sitter);
void paint_body(Canvas& canvas, const Sitter& sitter);  // neck, shoulders, clothes
void paint_ears(Canvas& canvas, const Sitter& sitter);
void paint_face(Canvas& canvas, const Sitter& sitter);
void paint_beard(Canvas& canvas, const Sitter& sitter);
void paint_glasses(Canvas& canvas, const Sitter& sitter);
void paint_hair_in_front(Canvas& canvas, const Sitter& sitter);

// The colours of the face's skin at a place (x, y) of its front, with eyes, brows, mouth; `edge` is a pixel in head
// units.
Rgb face_colour(const Sitter& sitter, Vec2 at, float edge);

}  // namespace atelier::render
