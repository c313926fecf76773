#include "diffusion/lora_subspace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "random_loras.h"

namespace atelier::diffusion {
namespace {

/// The projector on the column space of a dense matrix, float64.
at::Tensor projector(const at::Tensor& matrix) {
  const auto [u, s, vh] = at::linalg_svd(matrix, /*full_matrices=*/false);
  const at::Tensor basis = u.slice(1, 0, s.gt(s[0] * 1e-9).sum().item<int64_t>());
  return at::mm(basis, basis.t());
}

/// dW1 with the spaces of dW2 removed, by the definition on dense matrices.
at::Tensor removed_dense(const LoraLayer& layer, const LoraLayer& background, RemovedSides sides) {
  const at::Tensor delta = exact_delta(layer).flatten(1), other = exact_delta(background).flatten(1);
  at::Tensor left = delta - at::mm(projector(other), delta);
  if (sides == RemovedSides::both) left = left - at::mm(left, projector(other.t()));
  return left.view(layer.delta_shape());
}

/// The laws hold for random ranks, alphas and shapes; the parameter is the seed.
class SubspaceLaws : public ::testing::TestWithParam<uint64_t> {
 protected:
  SubspaceLaws() : random(GetParam()), lora(random.lora()), background(random.lora()) {}
  RandomLoras random;
  Lora lora, background;
};
INSTANTIATE_TEST_SUITE_P(Seeds, SubspaceLaws, ::testing::Range<uint64_t>(0, 20));

TEST_P(SubspaceLaws, RemovalIsThatOfTheDenseUpdates) {
  for (const RemovedSides sides : {RemovedSides::left, RemovedSides::both}) {
    const LoraDifference result = *remove_subspace(lora, background, sides);
    for (const auto& [name, layer] : lora.layers) {
      const at::Tensor wanted = removed_dense(layer, background.layers.at(name), sides);
      const double bound = 2e-6 * exact_delta(layer).norm().item<double>();
      const auto found = result.lora.layers.find(name);
      if (found == result.lora.layers.end()) {
        EXPECT_LT(wanted.norm().item<double>(), bound) << name;
        EXPECT_THAT(result.dropped, ::testing::Contains(name));
      } else {
        EXPECT_LE(distance(found->second.delta(), wanted), bound) << name;
        EXPECT_EQ(found->second.rank(), layer.rank()) << name;
        EXPECT_EQ(found->second.a.sizes(), layer.a.sizes()) << name;
      }
    }
  }
}

TEST_P(SubspaceLaws, RemovingTwiceIsRemovingOnce) {
  const Lora once = remove_subspace(lora, background, RemovedSides::both)->lora;
  const Lora twice = remove_subspace(once, background, RemovedSides::both)->lora;
  for (const auto& [name, layer] : once.layers)
    EXPECT_LE(distance(twice.layers.at(name).delta(), layer.delta()),
              2e-6 * exact_delta(lora.layers.at(name)).norm().item<double>())
        << name;
}

TEST_P(SubspaceLaws, NothingIsLeftOfALoraWithoutItself) {
  for (const RemovedSides sides : {RemovedSides::left, RemovedSides::both}) {
    const LoraDifference result = *remove_subspace(lora, lora, sides);
    EXPECT_TRUE(result.lora.layers.empty());
    EXPECT_EQ(result.dropped.size(), lora.layers.size());
  }
}

TEST(LoraSubspace, LeavesLayersThatTheBackgroundDoesNotHaveOrHasAsZero) {
  RandomLoras random(5);
  Lora lora, background;
  lora.layers["alone"] = random.layer({9, 8});
  lora.layers["zero"] = random.layer({9, 8});
  background.layers["zero"] = random.layer({9, 8});
  background.layers["zero"].b.zero_();
  background.layers["other"] = random.layer({9, 8});
  const LoraDifference result = *remove_subspace(lora, background, RemovedSides::left);
  ASSERT_EQ(result.lora.layers.size(), 2U);
  for (const auto& [name, layer] : lora.layers) {
    EXPECT_TRUE(at::equal(result.lora.layers.at(name).b, layer.b)) << name;
    EXPECT_EQ(result.lora.layers.at(name).alpha, layer.alpha) << name;
  }
}

TEST(LoraSubspace, RefusesOtherShapesAndFactorsThatAreNoNumbers) {
  RandomLoras random(6);
  Lora a, b;
  a.layers["proj_in"] = random.layer({8, 8});
  b.layers["proj_in"] = random.layer({8, 6});
  const auto message = [&] { return remove_subspace(a, b, RemovedSides::left).error().message; };
  EXPECT_EQ(message(),
            "LoRA layer 'proj_in': one LoRA changes a weight of shape [8, 8], the other one of shape [8, 6]; they were "
            "trained on different base models");
  b.layers["proj_in"].b[0][0] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(message(), "LoRA layer 'proj_in': its factors hold NaN or infinite numbers");
}

}  // namespace
}  // namespace atelier::diffusion
