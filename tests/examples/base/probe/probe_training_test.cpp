#include "probe/probe_training.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace atelier::probe {
namespace {

const RenderedSet& tiny() {
  static const RenderedSet set = rendered_set(1, 8);
  return set;
}

struct Trained {
  ProbeNet net;
  std::vector<ProbeStep> steps;
};
Trained trained(std::int64_t steps) {
  std::vector<ProbeStep> told;
  auto net = train_probe(tiny(), {.steps = steps, .batch = 8}, [&](const ProbeStep& step) { told.push_back(step); });
  if (!net) throw std::runtime_error(net.error().message);
  return {*std::move(net), told};
}

TEST(ProbeTraining, LowersTheLossInAFewSteps) {
  const auto [net, steps] = trained(30);
  ASSERT_EQ(steps.size(), 30u);
  EXPECT_LT(steps.back().words_loss, 0.7 * steps.front().words_loss);
  EXPECT_LT(steps.back().loss, 0.7 * steps.front().loss);
}

TEST(ProbeTraining, IsTheSameForASeed) {
  const auto one = trained(3), again = trained(3);
  for (const auto& [name, weight] : one.net.weights()) EXPECT_TRUE(weight.equal(again.net.weights().at(name))) << name;
}

TEST(ProbeTraining, LeavesNoGradientBehind) {
  const Trained one = trained(1);
  for (const auto& [name, weight] : one.net.weights()) EXPECT_FALSE(weight.requires_grad()) << name;
}

TEST(ProbeTraining, CountsNothingForWhatIsUntold) {
  const Answers answers{at::randn({2, 70}), at::zeros({2, 15})};
  const at::Tensor none = at::full({2, 14}, kUntold, at::kLong);
  const ProbeLosses losses = probe_losses(answers, none, at::ones({2, 15}));
  EXPECT_EQ(losses.words.item<float>(), 0);
  EXPECT_EQ(losses.identity.item<float>(), 1);
  at::Tensor one = none.clone();
  one[0][0] = 1;  // a man
  const at::Tensor wanted = -answers.scores[0].narrow(0, 0, 2).log_softmax(0)[1] / 14;
  EXPECT_NEAR(probe_losses(answers, one, at::ones({2, 15})).words.item<float>(), wanted.item<float>(), 1e-6);
}

}  // namespace
}  // namespace atelier::probe
