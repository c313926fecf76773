#include "render/picture.h"

#include <gtest/gtest.h>

#include "base/digest.h"

namespace atelier::render {
namespace {

std::string told(const Picture& picture) {
  return to_json(picture.person).dump() + to_json(picture.shot).dump() + picture.caption;
}

// Base models and probes are trained on these: another draw is another data set.
TEST(Picture, TheParametersOfASeedNeverChange) {
  std::string all;
  for (std::uint64_t i = 0; i < 100; ++i) all += told(random_picture(1, i));
  for (std::uint64_t i = 0; i < 8; ++i) all += told(customer_picture(1, i, {}));
  EXPECT_EQ(sha256(all).brief(), "2646709777ce");
}

TEST(Picture, AGivenStyleChangesNothingElse) {
  Picture drawn = random_picture(5, 9);
  const Picture ink = random_picture(5, 9, Style::ink);
  EXPECT_EQ(ink.shot.style, Style::ink);
  drawn.shot.style = Style::ink;
  EXPECT_EQ(to_json(drawn.person), to_json(ink.person));
  EXPECT_EQ(to_json(drawn.shot), to_json(ink.shot));
}

TEST(Picture, IsToldByNames) {
  Picture picture;
  picture.shot.object = MarkedObject{ObjectKind::clock, Colour::green};
  EXPECT_EQ(to_json(picture.shot).at("object"), "green clock");
  EXPECT_EQ(to_json(picture.person).at("hair_style"), "long");
  EXPECT_TRUE(to_json(Shot{}).at("object").is_null());
}

}  // namespace
}  // namespace atelier::render
