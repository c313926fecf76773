#include "render/attributes.h"

#include <gtest/gtest.h>

namespace atelier::render {
namespace {

TEST(Attributes, AWordStandsForOneValue) {
  EXPECT_EQ(word_of(Style::oil), "oil");
  EXPECT_EQ(value_of<Style>("oil"), Style::oil);
  EXPECT_EQ(value_of<HairStyle>("short"), HairStyle::cropped);
  EXPECT_EQ(value_of<Style>("oily"), std::nullopt);
}

TEST(Attributes, AnObjectIsNamedByColourAndKind) {
  const MarkedObject balloon{ObjectKind::balloon, Colour::red};
  EXPECT_EQ(text_of(balloon), "red balloon");
  EXPECT_EQ(object_named("red balloon"), balloon);
  for (const auto* wrong : {"", "red", "balloon", "red car", "grey balloon", "balloon red"})
    EXPECT_EQ(object_named(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace atelier::render
