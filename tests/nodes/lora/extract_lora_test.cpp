#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lora/extract_lora_node.h"
#include "lora_sets.h"
#include "model/base_model.h"
#include "model/tensors.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;
using testing::UnorderedElementsAre;

constexpr const char* kConv = "mid_block.resnets.0.conv1";
constexpr const char* kText = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj";

Artifact base_at(const std::string& folder) {
  return *make_model_type()->open_input(ATELIER_SOURCE_DIR "/tests/golden/" + folder + "/model", digest_of_file);
}

Expected<Outputs> extract(const Artifact& tuned, const Artifact& base, FakeContext& context,
                          const std::map<std::string, Value>& params) {
  FakeDevice device;
  return run_node(*make_extract_lora_node(), {{"tuned", {tuned}}, {"base", {base}}}, params, context, device);
}

// The tiny base with these LoRAs of weight 1.
Artifact fused(std::vector<LoraSet> loras) {
  auto model = *Model::from(tiny_base());
  for (auto& lora : loras) model.loras.push_back({std::move(lora), 1});
  return model.to_artifact();
}

// The tiny base with `change` added to weights of its UNet by a training.
Artifact trained(const std::map<std::string, at::Tensor>& change) {
  auto model = *Model::from(tiny_base());
  const auto weights = *open_base(model)->weights(diffusion::ModelPart::unet);
  std::map<std::string, Tensor> parts;
  for (const auto& [name, delta] : change) parts[name] = as_tensor(weights.at(name).to(at::kFloat) + delta);
  model.changed = ChangedWeights::of({{"unet", std::move(parts)}});
  return model.to_artifact();
}

TEST(ExtractLora, GivesBackTheLoraThatWasFused) {
  FakeContext context;
  auto lora = lora_named("one", 4, 3.7, {kQuery, kKey}, 0.1f);
  lora.layers[kText] = {normal_tensor({4, 16}, "text A", 0.1f), normal_tensor({16, 4}, "text B", 0.1f), 4};
  const auto result = lora_out(extract(fused({lora}), tiny_base(), context, {{"rank", 4}}));
  EXPECT_THAT(result.layers, UnorderedElementsAre(Key(kQuery), Key(kKey), Key(kText)));
  for (const auto& [layer, factors] : result.layers) {
    EXPECT_EQ(rank_of(result, layer), 4);
    EXPECT_LE(distance(delta(result, layer), delta(lora, layer)), 1e-5) << layer;
  }
  EXPECT_EQ(result.base, base_digest(*Model::from(tiny_base())));
  EXPECT_EQ(result.facts.at("base_model"), "sd_v1");
  EXPECT_LT(result.facts.at("relative_error").get<double>(), 1e-5);
  EXPECT_EQ(context.metrics.size(), 1u);
}

TEST(ExtractLora, GivesBackTheSumOfLorasOnAFusedBase) {
  FakeContext context;
  const auto one = lora_named("one", 4, 4, {kQuery, kKey}, 0.1f), two = lora_named("two", 3, 3, {kQuery}, 0.1f);
  const auto both = lora_out(extract(fused({one, two}), tiny_base(), context, {{"rank", 7}}));
  EXPECT_LE(distance(delta(both, kQuery), delta(one, kQuery) + delta(two, kQuery)), 1e-5);
  const auto second = lora_out(extract(fused({one, two}), fused({one}), context, {{"rank", 3}}));
  EXPECT_THAT(second.layers, ElementsAre(Key(kQuery)));
  EXPECT_LE(distance(delta(second, kQuery), delta(two, kQuery)), 1e-5);
}

TEST(ExtractLora, FindsWhatATrainingOfTheWeightsChangedAndTellsWhatNoLayerHolds) {
  FakeContext context;
  const auto lora = lora_named("one", 4, 4, {kQuery}, 0.1f);
  const auto tuned = trained(
      {{std::string(kQuery) + ".weight", delta(lora, kQuery).to(at::kFloat)}, {"conv_norm_out.bias", at::ones({16})}});
  const auto result = lora_out(extract(tuned, tiny_base(), context, {{"error", 0.001}}));
  EXPECT_THAT(result.layers, ElementsAre(Key(kQuery)));
  EXPECT_EQ(rank_of(result, kQuery), 4);
  EXPECT_LE(distance(delta(result, kQuery), delta(lora, kQuery)), 1e-5);
  EXPECT_THAT(
      context.warnings,
      testing::Contains("1 weight that differs belongs to no layer of the LoRA, the first is conv_norm_out.bias"));
}

TEST(ExtractLora, TakesConvolutionsWithARankOfTheirOwnAndTheLayersThatAreNamed) {
  FakeContext context;
  const std::string query = std::string(kQuery) + ".weight", conv = std::string(kConv) + ".weight";
  const auto tuned = trained(
      {{query, as_torch(normal_tensor({32, 32}, "query"))}, {conv, as_torch(normal_tensor({32, 32, 3, 3}, "conv"))}});
  EXPECT_THAT(lora_out(extract(tuned, tiny_base(), context, {{"rank", 5}})).layers, ElementsAre(Key(kQuery)));
  const auto both = lora_out(extract(tuned, tiny_base(), context, {{"rank", 5}, {"conv_rank", 2}}));
  EXPECT_EQ(rank_of(both, kQuery), 5);
  EXPECT_EQ(rank_of(both, kConv), 2);
  EXPECT_THAT(both.layers.at(kConv).a.shape(), ElementsAre(2, 32, 3, 3));
  const auto named = lora_out(
      extract(tuned, tiny_base(), context, {{"rank", 5}, {"layers", Value::List{"mid_block.resnets.*conv1"}}}));
  EXPECT_THAT(named.layers, ElementsAre(Key(kConv)));
  EXPECT_EQ(rank_of(named, kConv), 5);
}

TEST(ExtractLora, RefusesModelsThatAreEqual) {
  FakeContext context;
  const auto result = extract(tiny_base(), tiny_base(), context, {{"rank", 4}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::input);
  EXPECT_EQ(result.error().message, "the two models are equal: there is nothing to extract");
}

TEST(ExtractLora, RefusesModelsOfTwoKinds) {
  FakeContext context;
  EXPECT_EQ(extract(base_at("sdxl_tiny"), tiny_base(), context, {{"rank", 4}}).error().message,
            "the tuned model is SDXL, the base Stable Diffusion 1.x: a LoRA is between models of one kind");
}

TEST(ExtractLora, RefusesAPatternThatMeansNoLayer) {
  FakeContext context;
  const auto result =
      extract(fused({lora_named("one", 4, 4)}), tiny_base(), context, {{"rank", 4}, {"layers", Value::List{"to_z"}}});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr("to_z"));
}

TEST(ExtractLora, TellsParamsThatDoNotFitTogetherBeforeItRuns) {
  const auto node = make_extract_lora_node();
  EXPECT_THAT(checked(*node, {{"conv_rank", 4}}),
              ElementsAre("extract_lora needs one of the params 'rank', 'energy' and 'error'"));
  EXPECT_THAT(checked(*node, {{"energy", 0.9}, {"error", 0.1}}),
              ElementsAre("the params 'energy' and 'error' exclude each other; give one of them"));
  EXPECT_THAT(checked(*node, {{"rank", 32}, {"energy", 0.99}}), IsEmpty());
}

}  // namespace
}  // namespace atelier
