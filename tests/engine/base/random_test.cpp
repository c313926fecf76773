#include "base/random.h"

#include <gtest/gtest.h>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

namespace atelier {
namespace {

RandomStream photo_stream() { return {7, "noise", sha256("photo")}; }

// golden.py, whose Philox gives Random123's known answers.
TEST(RandomStreamTest, KeepsItsGoldenBits) {
  RandomStream stream = photo_stream();
  for (const std::uint32_t expected : {0xd92d4ef6u, 0xa1350901u, 0xf532afd0u, 0x449d4ea1u, 0xf7195ba3u, 0x2211c79eu})
    EXPECT_EQ(stream.bits(), expected);
  RandomStream fifth = photo_stream().at(5);
  for (const std::uint32_t expected : {0x3f0fb08fu, 0xe8dd8d9au, 0x50518a0bu, 0x20322c12u})
    EXPECT_EQ(fifth.bits(), expected);
}

TEST(RandomStreamTest, KeepsItsGoldenUniformsAndNormals) {
  RandomStream stream = photo_stream();
  for (const double expected : {0.8483476015159153, 0.9578046669663884, 0.9652306819936916, 0.5645651234834336})
    EXPECT_EQ(stream.uniform(), expected);
  std::vector<float> normal(3);  // an odd count too
  photo_stream().fill_normal(normal);
  EXPECT_FLOAT_EQ(normal[0], 1.8743876f);
  EXPECT_FLOAT_EQ(normal[1], -0.50891984f);
}

TEST(RandomStreamTest, DependsOnSeedPurposeAndSubjectAndOnNothingElse) {
  EXPECT_EQ(photo_stream().bits(), photo_stream().bits());
  std::set<std::uint32_t> first;
  first.insert(photo_stream().bits());
  first.insert(RandomStream(8, "noise", sha256("photo")).bits());
  first.insert(RandomStream(7, "timestep", sha256("photo")).bits());
  first.insert(RandomStream(7, "noise", sha256("photo 2")).bits());
  for (std::uint64_t n = 0; n < 100; ++n) first.insert(photo_stream().at(n).bits());
  EXPECT_EQ(first.size(), 104u);
}

TEST(RandomStreamTest, ASubStreamDoesNotDependOnWhatWasDrawnBefore) {
  RandomStream drawn = photo_stream();
  for (int i = 0; i < 7; ++i) drawn.bits();
  EXPECT_EQ(drawn.at(3).bits(), photo_stream().at(3).bits());
}

struct Moments {
  double mean = 0, variance = 0;
};
Moments moments_of(const std::vector<float>& values) {
  Moments m;
  for (const float v : values) m.mean += v;
  m.mean /= static_cast<double>(values.size());
  for (const float v : values) m.variance += (v - m.mean) * (v - m.mean);
  m.variance /= static_cast<double>(values.size());
  return m;
}

constexpr std::size_t kDraws = 200'000;
constexpr double kFourErrors = 4 / 447.2;  // four standard errors of a mean of so many draws of deviation 1

TEST(RandomStreamTest, NormalsHaveMeanZeroAndDeviationOne) {
  std::vector<float> values(kDraws);
  photo_stream().fill_normal(values);
  const Moments m = moments_of(values);
  EXPECT_NEAR(m.mean, 0, kFourErrors);
  EXPECT_NEAR(m.variance, 1, kFourErrors * std::sqrt(2.0));
  for (const float v : values) ASSERT_TRUE(std::isfinite(v));
}

TEST(RandomStreamTest, UniformsFillTheirRange) {
  std::vector<float> values(kDraws);
  photo_stream().fill_uniform(values, -3, 1);
  const Moments m = moments_of(values);
  EXPECT_NEAR(m.mean, -1, kFourErrors * 4 / std::sqrt(12.0));
  EXPECT_NEAR(m.variance, 16 / 12.0, 0.02);
  for (const float v : values) ASSERT_TRUE(v >= -3 && v <= 1) << v;
}

TEST(RandomStreamTest, BelowIsUniformAndStaysBelow) {
  RandomStream stream = photo_stream();
  std::vector<int> counts(6);
  constexpr int kRolls = 60'000;
  for (int i = 0; i < kRolls; ++i) ++counts.at(stream.below(6));
  double chi_squared = 0;
  for (const int count : counts) chi_squared += (count - 10'000.0) * (count - 10'000.0) / 10'000.0;
  EXPECT_LT(chi_squared, 20.5);  // the 0.999 quantile with five degrees of freedom
  for (int i = 0; i < 100; ++i) EXPECT_EQ(stream.below(1), 0u);
}

}  // namespace
}  // namespace atelier
