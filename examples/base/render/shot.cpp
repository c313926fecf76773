#include "render/shot.h"

#include <algorithm>

#include "render/draws.h"

namespace atelier::render {
namespace {

constexpr float turned_from = 13;  // degrees, where a face no longer faces the viewer

// The object on one side of the picture and the head a little on the other.
void place_object(Shot& shot, RandomStream& s, bool on_the_left) {
  shot.head_height = std::min(shot.head_height, 0.5f);
  const float aside = between(s, 0.05f, 0.08f);
  shot.head_x = 0.5f + (on_the_left ? aside : -aside);
  const float edge = between(s, 0.14f, 0.17f);
  shot.object_x = on_the_left ? edge : 1 - edge;
  shot.object_y = between(s, 0.22f, 0.42f);
  shot.object_size = between(s, 0.14f, 0.18f);
  if (shot.backdrop == shot.object->colour) shot.backdrop = Colour::grey;  // or it would not be seen in a studio
}

void draw_pose(Shot& shot, RandomStream& s) {
  shot.yaw = chance(s, 0.5) ? between(s, -9, 9) : between(s, 14, 28) * (chance(s, 0.5) ? 1.0f : -1.0f);
  shot.pitch = between(s, -8, 8);
  shot.roll = between(s, -7, 7);
  shot.expression = any<Expression>(s);
}

void draw_clothes(Shot& shot, RandomStream& s, const Person& person) {
  // sweater, t-shirt, shirt, jacket, dress
  shot.garment = person.presentation == Presentation::man ? weighted<Garment>(s, {3, 3, 3, 3, 0})
                                                          : weighted<Garment>(s, {3, 2, 2, 2, 3});
  shot.garment_colour = any<Colour>(s);
}

}  // namespace

Shot random_shot(RandomStream s, const Person& person) {
  Shot shot;
  draw_pose(shot, s);
  shot.head_height = between(s, 0.42f, 0.6f);
  shot.head_x = between(s, 0.45f, 0.55f);
  shot.head_y = between(s, 0.43f, 0.48f);
  shot.light = any<LightKind>(s);
  draw_clothes(shot, s, person);
  shot.scene = any<SceneKind>(s);
  shot.layout = s.bits();
  shot.backdrop = any<Colour>(s);
  if (chance(s, 0.6)) {
    shot.object = MarkedObject{any<ObjectKind>(s), object_colours[s.below(object_colours.size())]};
    place_object(shot, s, chance(s, 0.5));
  }
  // photo, ink, poster, oil
  shot.style = weighted<Style>(s, {10, 2, 3, 4});
  return shot;
}

Shot customer_shot(std::int64_t number, std::uint64_t photo, const Person& person, const CustomerPlace& place) {
  RandomStream always(number, "customer place", Digest{});
  RandomStream s = RandomStream(number, "customer photo", Digest{}).at(photo);
  Shot shot = random_shot(s.at(0), person);
  shot.scene = place.scene;
  shot.backdrop = any<Colour>(always);
  shot.object = place.object;
  place_object(shot, s, chance(always, 0.5));
  shot.style = Style::photo;
  return shot;
}

Facing facing_of(const Shot& shot) {
  if (shot.yaw > turned_from) return Facing::right;
  return shot.yaw < -turned_from ? Facing::left : Facing::viewer;
}

}  // namespace atelier::render
