// render: who is portrayed: all that stays the same in every photo of one person.
#pragma once
#include <cstdint>

#include "base/random.h"
#include "render/attributes.h"

namespace atelier::render {

// Lengths are in half heads (the distance from the eyes to the chin); shares are 0 to 1.
struct Person {
  Presentation presentation = Presentation::woman;
  Skin skin = Skin::fair;
  HairColour hair_colour = HairColour::brown;
  HairStyle hair_style = HairStyle::flowing;
  EyeColour eye_colour = EyeColour::brown;
  Beard beard = Beard::none;
  Glasses glasses = Glasses::none;
  float skin_shade = 0.5f;   // share, from the light to the dark end of the skin's tone
  float head_width = 0.72f;  // half of it
  float jaw = 0.5f;          // share, from pointed to square
  float eye_spacing = 0.3f;  // from the middle to an eye
  float eye_size = 0.17f;    // half an eye's width
  float eye_tilt = 0;        // rise of the outer corner
  float brow_thickness = 0.05f;
  float nose_width = 0.12f;
  float nose_length = 0.36f;  // from the eyes to its base
  float mouth_width = 0.24f;  // half of it
  float lip_fullness = 0.5f;  // share
  float fringe = 0;           // share of the forehead that hair covers
  float parting = 0;          // where the hair is parted, -0.5 to 0.5
  float hair_volume = 0.1f;
  float shoulder_width = 1.5f;  // half of it
};

Person random_person(RandomStream stream);
// The customer of that number.
Person person_numbered(std::int64_t number);

// Calls visit(name, field) for each field, in the order of the JSON.
template <class P, class Visit>
void visit_person(P& p, Visit&& visit) {
  visit("presentation", p.presentation);
  visit("skin", p.skin);
  visit("hair_colour", p.hair_colour);
  visit("hair_style", p.hair_style);
  visit("eye_colour", p.eye_colour);
  visit("beard", p.beard);
  visit("glasses", p.glasses);
  visit("skin_shade", p.skin_shade);
  visit("head_width", p.head_width);
  visit("jaw", p.jaw);
  visit("eye_spacing", p.eye_spacing);
  visit("eye_size", p.eye_size);
  visit("eye_tilt", p.eye_tilt);
  visit("brow_thickness", p.brow_thickness);
  visit("nose_width", p.nose_width);
  visit("nose_length", p.nose_length);
  visit("mouth_width", p.mouth_width);
  visit("lip_fullness", p.lip_fullness);
  visit("fringe", p.fringe);
  visit("parting", p.parting);
  visit("hair_volume", p.hair_volume);
  visit("shoulder_width", p.shoulder_width);
}

}  // namespace atelier::render
