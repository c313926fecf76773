#include "probe/rendered_set.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "probe/identity.h"
#include "probe/picture_tensor.h"
#include "probe/probe_targets.h"
#include "render/portrait.h"

namespace atelier::probe {
namespace {

TEST(RenderedSet, HoldsThePicturesOfASeedWithWhatTheyShow) {
  const RenderedSet set = rendered_set(5, 3);
  EXPECT_EQ(set.pictures.sizes(), at::IntArrayRef({3, 3, 128, 128}));
  EXPECT_EQ(set.values.sizes(), at::IntArrayRef({3, 14}));
  EXPECT_EQ(set.identities.sizes(), at::IntArrayRef({3, 15}));
  const auto picture = render::random_picture(5, 2);
  EXPECT_TRUE(set.pictures[2].equal(tensor_of(render::portrait_of(picture.person, picture.shot, 128))));
  EXPECT_TRUE(set.values[2].equal(values_of(picture)));
  EXPECT_TRUE(set.identities[2].equal(at::tensor(identity_of(picture.person))));
}

TEST(RenderedSet, SaysWhichValuesAreUntold) {
  render::Picture picture;
  picture.shot.object.reset();
  const at::Tensor values = values_of(picture);
  EXPECT_EQ(values[static_cast<std::int64_t>(attribute_named("object_colour"))].item<std::int64_t>(), kUntold);
  EXPECT_EQ(values[static_cast<std::int64_t>(attribute_named("object"))].item<std::int64_t>(), 0);
}

}  // namespace
}  // namespace atelier::probe
