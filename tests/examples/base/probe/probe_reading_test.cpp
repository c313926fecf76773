#include "probe/probe_reading.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "probe/probe_targets.h"

namespace atelier::probe {
namespace {

Reading of_noise() {
  return read_pictures(ProbeNet::random(1), at::randint(0, 256, {1, 3, 128, 128}).to(at::kByte)).front();
}

TEST(ProbeReading, HasProbabilitiesThatSumToOne) {
  const Reading reading = of_noise();
  ASSERT_EQ(reading.probabilities.size(), attributes().size());
  for (std::size_t a = 0; a < attributes().size(); ++a) {
    EXPECT_EQ(reading.probabilities[a].size(), attributes()[a].values.size());
    EXPECT_NEAR(std::accumulate(reading.probabilities[a].begin(), reading.probabilities[a].end(), 0.0), 1, 1e-5);
  }
  EXPECT_EQ(reading.identity.size(), 15u);
}

TEST(ProbeReading, TellsTheLikeliestValue) {
  Reading reading = of_noise();
  reading.probabilities[attribute_named("scene")] = {0.1f, 0.1f, 0.5f, 0.1f, 0.1f, 0.1f, 0};
  EXPECT_EQ(reading.value_of("scene"), "beach");
  EXPECT_FLOAT_EQ(static_cast<float>(reading.probability_of("scene", "beach")), 0.5f);
  EXPECT_EQ(to_json(reading).at("values").at("scene"), "beach");
  EXPECT_THROW(reading.probability_of("scene", "moon"), Fault);
  EXPECT_THROW(reading.value_of("mood"), Fault);
}

TEST(ProbeReading, IsOnePerPictureInManyBatches) {
  EXPECT_EQ(read_pictures(ProbeNet::random(1), at::zeros({65, 3, 128, 128}, at::kByte)).size(), 65u);
}

}  // namespace
}  // namespace atelier::probe
