#include "probe/probe_net.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace atelier::probe {
namespace {

TEST(ProbeNet, AnswersEveryValueAndNumber) {
  const Answers answers = ProbeNet::random(1).forward(at::rand({2, 3, 128, 128}));
  EXPECT_EQ(answers.scores.sizes(), at::IntArrayRef({2, 70}));
  EXPECT_EQ(answers.identities.sizes(), at::IntArrayRef({2, 15}));
}

TEST(ProbeNet, HasLessThanHalfAMillionParameters) {
  std::int64_t count = 0;
  const ProbeNet net = ProbeNet::random(1);
  for (const auto& [name, weight] : net.weights()) count += weight.numel();
  EXPECT_GT(count, 300000);
  EXPECT_LT(count, 500000);
}

TEST(ProbeNet, AnswersForAPictureWhateverIsBesideIt) {
  const ProbeNet net = ProbeNet::random(1);
  const at::Tensor pictures = at::rand({3, 3, 128, 128});
  EXPECT_TRUE(net.forward(pictures).scores[1].allclose(net.forward(pictures.narrow(0, 1, 1)).scores[0], 1e-4, 1e-5));
}

TEST(ProbeNet, IsTheSameForASeed) {
  const auto one = ProbeNet::random(1).weights(), again = ProbeNet::random(1).weights(),
             other = ProbeNet::random(2).weights();
  EXPECT_TRUE(one.at("answer.weight").equal(again.at("answer.weight")));
  EXPECT_FALSE(one.at("answer.weight").equal(other.at("answer.weight")));
}

TEST(ProbeNet, IsRefusedWithoutAWeight) {
  auto weights = ProbeNet::random(1).weights();
  weights.erase("squeeze.bias");
  EXPECT_EQ(ProbeNet::create(weights, "a.safetensors").error().message,
            "a.safetensors: 1 weight is missing: squeeze.bias");
}

}  // namespace
}  // namespace atelier::probe
