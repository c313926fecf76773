#include "probe/identity.h"

#include <gtest/gtest.h>

#include <cmath>

namespace atelier::probe {
namespace {

TEST(Identity, HasMeanZeroAndDeviationOneOverPeople) {
  constexpr int kPeople = 2000;
  for (std::size_t n = 0; n < identity_names().size(); ++n) {
    double sum = 0, squares = 0;
    for (int i = 0; i < kPeople; ++i) {
      const double number = identity_of(render::person_numbered(i))[n];
      sum += number;
      squares += number * number;
    }
    EXPECT_NEAR(sum / kPeople, 0, 0.1) << identity_names()[n];
    EXPECT_NEAR(std::sqrt(squares / kPeople), 1, 0.1) << identity_names()[n];
  }
}

TEST(Identity, IsZeroApartFromItselfAndFarFromOthers) {
  const auto one = identity_of(render::person_numbered(1)), other = identity_of(render::person_numbered(2));
  EXPECT_EQ(identity_distance(one, one), 0);
  EXPECT_GT(identity_distance(one, other), 0.3);
  EXPECT_EQ(identity_distance(one, other), identity_distance(other, one));
}

}  // namespace
}  // namespace atelier::probe
