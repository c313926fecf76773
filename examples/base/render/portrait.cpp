#include "render/portrait.h"

#include "render/scene.h"
#include "render/sitter.h"
#include "render/stylise.h"

namespace atelier::render {
namespace {

// The light falls on the scene too.
void tint(Canvas& canvas, const Light& light) {
  const Rgb colour = light.key * 0.62f + light.ambient * 0.85f;
  for (int y = 0; y < canvas.side_px(); ++y)
    for (int x = 0; x < canvas.side_px(); ++x) canvas.at(x, y) = canvas.at(x, y) * mix(Rgb{1, 1, 1}, colour, 0.7f);
}

}  // namespace

cv::Mat portrait_of(const Person& person, const Shot& shot, int size_px) {
  constexpr int samples = 2;  // a side: of each pixel of the sitter
  const Light light = light_of(shot.light);
  Canvas backdrop(size_px);
  paint_scene(backdrop, shot);
  paint_object(backdrop, shot);
  tint(backdrop, light);
  Canvas canvas = backdrop.enlarged(samples);  // a little out of focus
  const Sitter sitter{person, shot, HeadSurface(person, shot), light, 0x51ed270bu};
  paint_hair_behind(canvas, sitter);
  paint_body(canvas, sitter);
  paint_ears(canvas, sitter);
  paint_face(canvas, sitter);
  paint_beard(canvas, sitter);
  paint_glasses(canvas, sitter);  // their temples go under the hair
  paint_hair_in_front(canvas, sitter);
  return to_rgb8(stylised(canvas.reduced(samples), shot.style, shot.layout));
}

}  // namespace atelier::render
