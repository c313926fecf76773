// render: one photo of a person: all that changes from photo to photo.
#pragma once
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "render/attributes.h"
#include "render/person.h"

namespace atelier::render {

// Places and lengths are in picture units, 0 to 1; angles in degrees.
struct Shot {
  float yaw = 0;                        // positive: the face turns to the picture's right
  float pitch = 0;                      // positive: it looks down
  float roll = 0;                       // positive: clockwise
  float head_x = 0.5f, head_y = 0.45f;  // the head's centre
  float head_height = 0.5f;             // crown to chin
  Expression expression = Expression::serious;
  LightKind light = LightKind::soft;
  Garment garment = Garment::sweater;
  Colour garment_colour = Colour::blue;
  SceneKind scene = SceneKind::studio;
  std::uint32_t layout = 0;        // what differs between two scenes of a kind
  Colour backdrop = Colour::grey;  // of a studio
  std::optional<MarkedObject> object;
  float object_x = 0, object_y = 0, object_size = 0;  // its centre and half height
  Style style = Style::photo;
};

Shot random_shot(RandomStream stream, const Person& person);

struct CustomerPlace {
  SceneKind scene = SceneKind::park;
  MarkedObject object;
};
// A photo of customer `number` at their place: the object always on one side, the scene always of one kind.
Shot customer_shot(std::int64_t number, std::uint64_t photo, const Person& person, const CustomerPlace& place);

enum class Facing { viewer, left, right };  // as seen
Facing facing_of(const Shot& shot);

// Calls visit(name, field) for each field, in the order of the JSON.
template <class S, class Visit>
void visit_shot(S& s, Visit&& visit) {
  visit("yaw", s.yaw);
  visit("pitch", s.pitch);
  visit("roll", s.roll);
  visit("head_x", s.head_x);
  visit("head_y", s.head_y);
  visit("head_height", s.head_height);
  visit("expression", s.expression);
  visit("light", s.light);
  visit("garment", s.garment);
  visit("garment_colour", s.garment_colour);
  visit("scene", s.scene);
  visit("layout", s.layout);
  visit("backdrop", s.backdrop);
  visit("object", s.object);
  visit("object_x", s.object_x);
  visit("object_y", s.object_y);
  visit("object_size", s.object_size);
  visit("style", s.style);
}

}  // namespace atelier::render
