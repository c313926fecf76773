// The patent's identity LoRA through the real nodes: two trainings, one subtraction.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lora/diff_node.h"
#include "model/loras.h"
#include "support/fake_context.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/tiny_base.h"
#include "training/train_node.h"

namespace atelier {
namespace {

Artifact trained(const std::vector<Dataset>& datasets, std::int64_t rank, double alpha) {
  FakeContext context;
  FakeDevice device;
  Inputs inputs{{"base", {tiny_base()}}};
  for (const auto& dataset : datasets) inputs["datasets"].push_back(dataset.to_artifact());
  const auto outputs =
      run_node(*make_train_node(), inputs, {{"rank", rank}, {"alpha", alpha}, {"steps", 5}, {"learning_rate", 1e-2}},
               context, device);
  if (!outputs) throw Fault(outputs.error().message);
  return outputs->at("lora");
}

LoraSet difference(const Artifact& minuend, const Artifact& subtrahend) {
  FakeContext context;
  FakeDevice device;
  const auto outputs =
      run_node(*make_diff_node(), {{"minuend", {minuend}}, {"subtrahend", {subtrahend}}}, {}, context, device);
  if (!outputs) throw Fault(outputs.error().message);
  return *LoraSet::from(outputs->at("lora"));
}

std::vector<Dataset> background_sets(const Dataset& whole) {
  auto background = whole;
  for (auto& item : background.items) item.mask = constant_tensor({kTinyGrid, kTinyGrid}, 0.5f);
  return {tiny_dataset({"r1.png", "r2.png"}, false), background};
}

TEST(Identity, OfTwoTrainingsOnEqualDataIsExactlyZero) {
  const auto whole = tiny_dataset({"a.png", "b.png", "c.png"});
  EXPECT_THAT(difference(trained({whole}, 4, 4), trained({whole}, 4, 4)).layers, testing::IsEmpty());
}

TEST(Identity, IsTheDifferenceOfBothUpdatesForUnequalRanksAndAlphas) {
  const auto whole = tiny_dataset({"a.png", "b.png", "c.png"});
  const auto person = trained({whole}, 4, 3), backdrop = trained(background_sets(whole), 6, 9);
  const auto one = as_diffusion(*LoraSet::from(person)), two = as_diffusion(*LoraSet::from(backdrop));
  const auto result = as_diffusion(difference(person, backdrop));
  ASSERT_EQ(result.layers.size(), one.layers.size());
  for (const auto& [name, layer] : result.layers) {
    const auto first = one.layers.at(name).delta().to(at::kDouble),
               second = two.layers.at(name).delta().to(at::kDouble);
    const double allowed = 1e-6 * (first.norm() + second.norm()).item<double>();
    EXPECT_LE((layer.delta().to(at::kDouble) - (first - second)).norm().item<double>(), allowed) << name;
    EXPECT_GT(first.norm().item<double>(), 0) << name;
  }
}

}  // namespace
}  // namespace atelier
