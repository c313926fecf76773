#include "probe/probe_targets.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace atelier::probe {
namespace {

std::string shown(const render::Picture& picture, std::string_view name) {
  const Attribute& attribute = attributes()[attribute_named(name)];
  const auto value = attribute.shown(picture);
  return value ? std::string(attribute.values.at(*value)) : "untold";
}

TEST(ProbeTargets, AreTheWordsThatThePictureIsToldIn) {
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto picture = render::random_picture(3, i, render::Style::photo);
    const auto person = to_json(picture.person), shot = to_json(picture.shot);
    for (const auto* name : {"presentation", "skin", "hair_style", "beard", "glasses"})
      EXPECT_EQ(shown(picture, name), person.at(name)) << i;
    for (const auto* name : {"expression", "garment", "garment_colour", "scene", "style"})
      EXPECT_EQ(shown(picture, name), shot.at(name)) << i;
    if (!picture.shot.object) {
      EXPECT_EQ(shown(picture, "object"), "none");
    } else {
      EXPECT_EQ(shown(picture, "object_colour") + " " + shown(picture, "object"), shot.at("object"));
    }
  }
}

TEST(ProbeTargets, AreUntoldWhereNothingCanBeSeen) {
  render::Picture picture;
  EXPECT_EQ(shown(picture, "object_colour"), "untold");
  EXPECT_EQ(shown(picture, "hair_colour"), "brown");
  picture.person.hair_style = render::HairStyle::bald;
  EXPECT_EQ(shown(picture, "hair_colour"), "untold");
  picture.shot.object = render::MarkedObject{render::ObjectKind::kite, render::Colour::green};
  picture.shot.style = render::Style::ink;
  for (const auto* name : {"skin", "hair_colour", "garment_colour", "object_colour"})
    EXPECT_EQ(shown(picture, name), "untold") << name;
  EXPECT_EQ(shown(picture, "object"), "kite");
}

TEST(ProbeTargets, TellWhereTheFaceTurns) {
  render::Picture picture;
  EXPECT_EQ(shown(picture, "facing"), "viewer");
  picture.shot.yaw = 20;
  EXPECT_EQ(shown(picture, "facing"), "right");
  picture.shot.yaw = -20;
  EXPECT_EQ(shown(picture, "facing"), "left");
}

TEST(ProbeTargets, KnowNoOtherAttribute) {
  EXPECT_EQ(attributes().size(), 14u);
  EXPECT_EQ(value_count(), 70u);
  EXPECT_THROW(attribute_named("mood"), Fault);
}

}  // namespace
}  // namespace atelier::probe
