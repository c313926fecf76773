#include "probe/augmentation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "probe/rendered_set.h"

namespace atelier::probe {
namespace {

at::Tensor portraits() { return rendered_set(1, 6).pictures.to(at::kFloat) / 255; }

TEST(Augmentation, KeepsShapeAndRange) {
  const at::Tensor worse = augmented(portraits(), RandomStream(1, "test", Digest{}));
  EXPECT_EQ(worse.sizes(), at::IntArrayRef({6, 3, 128, 128}));
  EXPECT_GE(worse.min().item<float>(), 0);
  EXPECT_LE(worse.max().item<float>(), 1);
}

TEST(Augmentation, IsTheSameForAStreamAndAnotherForAnother) {
  const at::Tensor pictures = portraits();
  const RandomStream one(1, "test", Digest{}), other(2, "test", Digest{});
  EXPECT_TRUE(augmented(pictures, one).equal(augmented(pictures, one)));
  EXPECT_FALSE(augmented(pictures, one).equal(augmented(pictures, other)));
}

TEST(Augmentation, LeavesAPictureLikeItself) {
  const at::Tensor pictures = portraits();
  const at::Tensor worse = augmented(pictures, RandomStream(1, "test", Digest{}));
  const at::Tensor error = (worse - pictures).abs().mean({1, 2, 3});  // [6]
  const at::Tensor to_another = (worse - pictures.roll(1, 0)).abs().mean({1, 2, 3});
  EXPECT_TRUE(error.lt(to_another).all().item<bool>());
  EXPECT_TRUE(error.gt(0.001).all().item<bool>());
}

}  // namespace
}  // namespace atelier::probe
