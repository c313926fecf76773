#include "render/person.h"

#include "render/draws.h"

namespace atelier::render {
namespace {

void draw_shape(Person& p, RandomStream& s) {
  const bool man = p.presentation == Presentation::man;
  p.skin_shade = between(s, 0, 1);
  p.head_width = between(s, 0.66f, 0.76f) + (man ? 0.02f : 0);
  p.jaw = man ? between(s, 0.45f, 1) : between(s, 0, 0.45f);
  p.eye_spacing = between(s, 0.27f, 0.33f);
  p.eye_size = man ? between(s, 0.145f, 0.175f) : between(s, 0.165f, 0.2f);
  p.eye_tilt = between(s, -0.01f, 0.04f);
  p.brow_thickness = man ? between(s, 0.045f, 0.075f) : between(s, 0.025f, 0.045f);
  p.nose_width = between(s, 0.095f, 0.15f) + (man ? 0.015f : 0);
  p.nose_length = between(s, 0.32f, 0.42f);
  p.mouth_width = between(s, 0.21f, 0.29f);
  p.lip_fullness = man ? between(s, 0.1f, 0.6f) : between(s, 0.4f, 1);
  p.fringe = chance(s, man ? 0.2 : 0.35) ? between(s, 0.5f, 0.75f) : between(s, 0, 0.2f);
  p.parting = between(s, -0.4f, 0.4f);
  p.hair_volume = between(s, 0.07f, 0.15f);
  p.shoulder_width = man ? between(s, 1.6f, 1.8f) : between(s, 1.3f, 1.45f);
}

}  // namespace

Person random_person(RandomStream s) {
  Person p;
  p.presentation = any<Presentation>(s);
  const bool man = p.presentation == Presentation::man;
  p.skin = any<Skin>(s);
  p.hair_colour = any<HairColour>(s);
  // cropped, flowing, curly, bun, bald
  p.hair_style = man ? weighted<HairStyle>(s, {10, 2, 4, 0, 4}) : weighted<HairStyle>(s, {4, 8, 5, 4, 0});
  p.eye_colour = any<EyeColour>(s);
  p.beard = man ? weighted<Beard>(s, {10, 4, 6}) : Beard::none;
  p.glasses = weighted<Glasses>(s, {12, 4, 4});
  draw_shape(p, s);
  return p;
}

Person person_numbered(std::int64_t number) { return random_person(RandomStream(number, "customer", Digest{})); }

}  // namespace atelier::render
