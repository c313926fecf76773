// render: what the named colours look like.
#pragma once
#include "render/person.h"
#include "render/vectors.h"

namespace atelier::render {

Rgb colour_of(Colour colour);
Rgb skin_of(const Person& person);
Rgb hair_of(HairColour colour);
Rgb eyes_of(EyeColour colour);

}  // namespace atelier::render
