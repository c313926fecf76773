#include "training/lora_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/tensors.h"
#include "train_case.h"

namespace atelier {
namespace {

using testing::ElementsAre;

TEST(Train, GoesOnFromALora) {
  const std::vector<Dataset> datasets{tiny_dataset({"a.png"})};
  const auto first = trained(datasets, kShort);
  auto inputs = inputs_of(datasets);
  inputs["lora"] = {first.to_artifact()};
  FakeContext context;
  FakeDevice device;
  auto params = kShort;
  params["rank"] = 4;  // the LoRA keeps its own
  params["learning_rate"] = 0.0;
  const auto outputs = run_node(*make_train_node(), inputs, params, context, device);
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto second = *LoraSet::from(outputs->at("lora"));
  for (const auto& [name, layer] : first.layers) {
    EXPECT_TRUE(at::equal(as_torch(second.layers.at(name).a), as_torch(layer.a))) << name;
    EXPECT_TRUE(at::equal(as_torch(second.layers.at(name).b), as_torch(layer.b))) << name;
  }
}

TEST(Train, TrainsTheResidualBlocksTooWithAConvRank) {
  const auto lora =
      trained({tiny_dataset({"a.png"})}, {{"rank", 4}, {"conv_rank", 2}, {"conv_alpha", 1.0}, {"steps", 2}});
  const auto& conv = lora.layers.at("mid_block.resnets.0.conv1");
  EXPECT_EQ(conv.a.shape()[0], 2);
  EXPECT_EQ(conv.alpha, 1);
  EXPECT_EQ(lora.layers.at("mid_block.resnets.0.time_emb_proj").a.shape()[0], 4);
  EXPECT_FALSE(lora.layers.contains("conv_in"));
}

TEST(Train, TrainsOnlyTheLayersThatPatternsName) {
  const auto lora = trained({tiny_dataset({"a.png"})},
                            {{"rank", 2}, {"steps", 2}, {"targets", Value::List{"mid_block*.attn2.to_k", "*conv_in"}}});
  std::vector<std::string> names;
  for (const auto& [name, layer] : lora.layers) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("conv_in", "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"));
}

TEST(Train, TellsAPatternThatNamesNothing) {
  FakeContext context;
  const auto outputs = train({tiny_dataset({"a.png"})}, {{"steps", 2}, {"targets", Value::List{"*.attn3.*"}}}, context);
  ASSERT_FALSE(outputs);
  EXPECT_THAT(outputs.error().message,
              testing::StartsWith("pattern '*.attn3.*' matches nothing of the base; names are such as '"));
}

TEST(Train, TrainsTextEncodersFromTheCaptionsThemselvesAndGoesOnToTheBit) {
  auto dataset = tiny_dataset({"a.png", "b.png"});
  dataset.texts.clear();
  const std::map<std::string, Value> params{{"rank", 2},
                                            {"steps", 4},
                                            {"learning_rate", 1e-3},
                                            {"text_learning_rate", 1e-2},
                                            {"train_text_encoder", true},
                                            {"checkpoint_every", 2}};
  FakeContext whole, again;
  const auto outputs = train({dataset}, params, whole);
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto lora = *LoraSet::from(outputs->at("lora"));
  const auto& text = lora.layers.at("text_encoder.text_model.encoder.layers.0.self_attn.q_proj");
  EXPECT_GT(as_torch(text.b).abs().max().item<double>(), 1e-3);  // moved, at its own rate
  again.checkpoint = whole.saved.at(0);
  EXPECT_EQ(digest_of(train({dataset}, params, again)->at("lora")), digest_of(outputs->at("lora")));
}

TEST(Train, EncodesWordsItselfWhereTheyChangeAndGoesOnToTheBit) {
  auto dataset = tiny_dataset({"a.png", "b.png"});
  dataset.texts.clear();
  for (auto& item : dataset.items) item.caption = "sks, a person, red, blue";
  std::map<std::string, Value> params{{"rank", 2},
                                      {"steps", 6},
                                      {"learning_rate", 1e-3},
                                      {"shuffle_tags", true},
                                      {"keep_tokens", 1},
                                      {"caption_dropout", 0.3},
                                      {"checkpoint_every", 3}};
  FakeContext whole, again, plain;
  const auto expected = digest_of(train({dataset}, params, whole)->at("lora"));
  again.checkpoint = whole.saved.at(0);
  EXPECT_EQ(digest_of(train({dataset}, params, again)->at("lora")), expected);
  params.erase("keep_tokens");
  params["shuffle_tags"] = false;
  params["caption_dropout"] = 0.0;
  EXPECT_NE(digest_of(train({dataset}, params, plain)->at("lora")), expected);
}

TEST(Train, RefusesDatasetsWhoseTextsWereMadeDifferently) {
  auto one = tiny_dataset({"a.png"}), two = tiny_dataset({"b.png"});
  two.text_settings = {2, 75};
  FakeContext context;
  const auto outputs = train({one, two}, kShort, context);
  ASSERT_FALSE(outputs);
  EXPECT_EQ(
      outputs.error().message,
      "the datasets were encoded with clip_skip 1 and 2, max_token_length 75 and 75; give every `encode` the same");
}

TEST(Train, TellsParamsThatDoNotGoTogether) {
  const auto node = make_train_node();
  const auto told = [&](const std::map<std::string, Value>& params) {
    return node->check(Params(node->spec(), params), {});
  };
  EXPECT_THAT(told({}), testing::IsEmpty());
  EXPECT_THAT(told({{"min_timestep", 500}, {"max_timestep", 500}}),
              ElementsAre("param 'min_timestep' must be under 'max_timestep'"));
  EXPECT_THAT(told({{"restarts", 2}}), ElementsAre("param 'restarts' goes with schedule: cosine_with_restarts"));
  EXPECT_THAT(told({{"keep_tokens", 1}}), ElementsAre("param 'keep_tokens' goes with shuffle_tags: true"));
  EXPECT_THAT(told({{"keep_best", true}}), ElementsAre("param 'keep_best' needs validation_every"));
  EXPECT_THAT(told({{"validation_prompts", Value::List{"a"}}}),
              ElementsAre("param 'validation_prompts' needs validation_every"));
  EXPECT_THAT(told({{"train_unet", false}}),
              ElementsAre("neither train_unet nor train_text_encoder is true; nothing would be trained"));
  EXPECT_THAT(told({{"text_learning_rate", 1e-5}}),
              ElementsAre("param 'text_learning_rate' goes with train_text_encoder: true"));
  EXPECT_THAT(told({{"conv_alpha", 1.0}}), ElementsAre("param 'conv_alpha' goes with conv_rank"));
}

}  // namespace
}  // namespace atelier
