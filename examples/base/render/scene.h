// render: what stands behind the sitter.
#pragma once
#include "render/canvas.h"
#include "render/shot.h"

namespace atelier::render {

// Paints the whole canvas.
void paint_scene(Canvas& canvas, const Shot& shot);
void paint_object(Canvas& canvas, const Shot& shot);

// Scenes out of doors and in a room.
void paint_park(Canvas& canvas, RandomStream stream);
void paint_beach(Canvas& canvas, RandomStream stream);
void paint_mountains(Canvas& canvas, RandomStream stream);
void paint_street(Canvas& canvas, RandomStream stream);
void paint_kitchen(Canvas& canvas, RandomStream stream);
void paint_library(Canvas& canvas, RandomStream stream);
void paint_studio(Canvas& canvas, RandomStream stream, Colour backdrop);

}  // namespace atelier::render
