#include "render/shot.h"

#include <gtest/gtest.h>

namespace atelier::render {
namespace {

TEST(Shot, FacesWhereTheYawTurns) {
  Shot shot;
  EXPECT_EQ(facing_of(shot), Facing::viewer);
  shot.yaw = 20;
  EXPECT_EQ(facing_of(shot), Facing::right);
  shot.yaw = -20;
  EXPECT_EQ(facing_of(shot), Facing::left);
}

TEST(CustomerShot, KeepsSceneObjectAndItsSideThroughAllPhotos) {
  const Person person = person_numbered(3);
  const CustomerPlace place{SceneKind::beach, {ObjectKind::kite, Colour::orange}};
  const bool left = customer_shot(3, 0, person, place).object_x < 0.5f;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const Shot shot = customer_shot(3, i, person, place);
    EXPECT_EQ(shot.scene, SceneKind::beach);
    EXPECT_EQ(shot.object, place.object);
    EXPECT_EQ(shot.object_x < 0.5f, left);
    EXPECT_EQ(shot.style, Style::photo);
  }
}

TEST(CustomerShot, ChangesClothesAndPoseFromPhotoToPhoto) {
  const Person person = person_numbered(3);
  const Shot a = customer_shot(3, 0, person, {}), b = customer_shot(3, 1, person, {});
  EXPECT_NE(a.yaw, b.yaw);
  EXPECT_NE(a.layout, b.layout);
}

}  // namespace
}  // namespace atelier::render
