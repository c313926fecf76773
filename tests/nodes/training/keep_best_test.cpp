// The step with the least loss at a validation is what comes out, in every mode, with averages too, cut off or not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "train_case.h"
#include "training/train_embedding_node.h"
#include "training/train_model_node.h"
#include "types/embedding.h"

namespace atelier {
namespace {

using testing::Contains;
using testing::StartsWith;

constexpr std::int64_t kSteps = 6;
constexpr const char* kWord = "<sks>";

using Given = std::map<std::string, Value>;

struct Mode {
  std::string name;
  std::unique_ptr<const Node> (*node)();
  std::string output;
  Given params;
  bool with_word = false;
};

std::vector<Dataset> datasets() {
  auto dataset = tiny_dataset({"a.png", "b.png"});
  dataset.texts.clear();
  for (auto& item : dataset.items) item.caption = kWord;
  return {dataset};
}

Expected<Outputs> run(const Mode& mode, const Given& more, FakeContext& context) {
  auto inputs = inputs_of(datasets());
  if (mode.with_word)
    inputs["embedding"] = {WordVectors{kWord, {normal_tensor({1, kTinyWidth}, "word")}, {}, {}}.to_artifact()};
  auto params = mode.params;
  for (const auto& [name, value] : more) params[name] = value;
  FakeDevice device;
  return run_node(*mode.node(), inputs, params, context, device);
}

// After how many steps the loss at validation was least.
std::int64_t best_of(const FakeContext& context) {
  double least = std::numeric_limits<double>::infinity();
  std::int64_t best = 0;
  for (const auto& metric : context.metrics)
    if (metric.name == "validation_loss" && metric.value < least) least = metric.value, best = metric.step + 1;
  return best;
}

class KeepBest : public testing::TestWithParam<int> {
 protected:
  static Mode mode() {
    switch (GetParam()) {
      case 0:
        return {"lora", make_train_node, "lora", {{"rank", 2}, {"learning_rate", 0.5}}};
      case 1:
        return {"lora of the text encoder",
                make_train_node,
                "lora",
                {{"rank", 2}, {"learning_rate", 0.5}, {"train_unet", false}, {"train_text_encoder", true}}};
      case 2:
        return {"textual inversion",
                make_train_embedding_node,
                "embedding",
                {{"word", kWord}, {"initializer", "person"}, {"vectors", 4}, {"learning_rate", 0.9}}};
      case 3:
        return {"full", make_train_model_node, "model", {{"learning_rate", 0.05}}};
      default:
        break;
    }
    return {"pivotal", make_train_node, "lora", {{"rank", 2}, {"learning_rate", 0.5}}, true};
  }
};

// Rates are so large that with some seed the last step is not the best.
TEST_P(KeepBest, IsWhatATrainingThatEndsThereGivesAndSurvivesACut) {
  const auto mode = KeepBest::mode();
  for (const double ema : {0.0, 0.5}) {
    SCOPED_TRACE(testing::Message() << mode.name << ", ema_decay " << ema);
    Given params{{"steps", kSteps},       {"schedule", "constant"}, {"weight_decay", 0.0},      {"validation_every", 1},
                 {"checkpoint_every", 1}, {"keep_best", true},      {"max_gradient_norm", 0.0}, {"ema_decay", ema}};
    std::unique_ptr<FakeContext> whole;
    std::optional<Outputs> kept;
    std::int64_t best = kSteps;
    for (std::int64_t seed = 0; seed < 10 && best == kSteps; ++seed) {
      params["seed"] = seed;
      params["learning_rate"] = mode.params.at("learning_rate").number() / std::pow(2.0, static_cast<double>(seed % 5));
      whole = std::make_unique<FakeContext>();
      auto outputs = run(mode, params, *whole);
      if (!outputs) {  // a loss that explodes stops the training: another seed
        ASSERT_EQ(outputs.error().kind, ErrorKind::input) << outputs.error().message;
        continue;
      }
      kept = std::move(*outputs);
      best = best_of(*whole);
    }
    ASSERT_TRUE(kept);
    ASSERT_LT(best, kSteps);
    EXPECT_THAT(whole->warnings, Contains("the loss at validation was least after step " + std::to_string(best) +
                                          " of 6: that is what comes out"));

    FakeContext cut;  // after the best and before the end
    cut.checkpoint = whole->saved.back();
    EXPECT_EQ(digest_of(run(mode, params, cut)->at(mode.output)), digest_of(kept->at(mode.output)));

    auto until_best = params;
    until_best["steps"] = best;
    until_best["keep_best"] = false;
    FakeContext shorter;
    const auto there = run(mode, until_best, shorter)->at(mode.output);
    const auto& ours = kept->at(mode.output);
    ASSERT_EQ(ours.tensors.size(), there.tensors.size());
    for (const auto& [name, tensor] : there.tensors)
      EXPECT_TRUE(std::ranges::equal(ours.tensors.at(name).bytes(), tensor.bytes())) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, KeepBest, testing::Range(0, 5));

TEST(KeepBestRefusal, IsRefusedWhereNothingIsValidated) {
  for (const auto& make : {make_train_node, make_train_embedding_node, make_train_model_node}) {
    const auto node = make();
    auto given = Given{{"keep_best", true}};
    if (node->spec().param("word")) given.insert({{"word", kWord}, {"initializer", "person"}});
    EXPECT_THAT(node->check(Params(node->spec(), given), {}),
                testing::ElementsAre("param 'keep_best' needs validation_every"))
        << node->spec().name;
  }
}

// A picture whose latents are no numbers gives a loss that is none.
TEST(KeepBestRefusal, IsAnErrorWhereNoLossAtValidationWasANumber) {
  auto bad = tiny_dataset({"a.png", "b.png"});
  bad.items[1].mean = constant_tensor({4, kTinyGrid, kTinyGrid}, std::numeric_limits<float>::quiet_NaN());
  FakeContext context;
  const auto outputs = train({bad},
                             {{"rank", 2},
                              {"steps", 1},
                              {"seed", 1},  // the broken picture comes second
                              {"schedule", "constant"},
                              {"validation_every", 1},
                              {"keep_best", true}},
                             context);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().message,
            "no loss at validation was a finite number, so there is no best step to give; a lower learning rate or "
            "another precision may help; no checkpoint was saved before");
}

}  // namespace
}  // namespace atelier
