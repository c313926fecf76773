#include "lora/fuse_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "diffusion/lora_fuse.h"
#include "lora/combine_node.h"
#include "lora_sets.h"
#include "model/base_model.h"
#include "model/fused_weights.h"

namespace atelier {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Expected<Outputs> fuse(const std::vector<LoraSet>& loras, FakeContext& context,
                       const std::map<std::string, Value>& params, const Artifact& base = tiny_base()) {
  FakeDevice device;
  Inputs inputs{{"base", {base}}};
  for (const auto& lora : loras) inputs["loras"].push_back(lora.to_artifact());
  return run_node(*make_fuse_node(), inputs, params, context, device);
}

TEST(Fuse, IsTheRecipeOfBaseLorasAndWeights) {
  FakeContext context;
  const auto outputs =
      fuse({lora_named("one", 4, 4), lora_named("two", 2, 1)}, context, {{"weights", Value::List{0.6, 0.9}}});
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto model = Model::from(outputs->at("model"));
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->loras.size(), 2u);
  EXPECT_EQ(model->loras[0].weight, 0.6);
  EXPECT_EQ(model->loras[1].weight, 0.9);
  EXPECT_EQ(base_digest(*model), base_digest(*Model::from(tiny_base())));
  EXPECT_THAT(context.warnings, IsEmpty());
}

TEST(Fuse, TellsWeightsOutsideZeroToOneAndLorasOfAnotherBase) {
  FakeContext context;
  auto two = lora_named("two", 2, 1);
  two.base = sha256("another");
  ASSERT_TRUE(fuse({lora_named("one", 4, 4), two}, context, {{"weights", Value::List{1.5, 1}}}));
  const auto base = base_digest(*Model::from(tiny_base())).brief();
  EXPECT_THAT(context.warnings, ElementsAre("LoRA 1 has the weight 1.5, outside 0 to 1",
                                            "LoRA 2 was trained on another base model (" + sha256("another").brief() +
                                                ", not " + base + ")"));
}

TEST(Fuse, RefusesALoraOfAnotherArchitecture) {
  FakeContext context;
  auto two = lora_named("two", 2, 1);
  two.facts["base_model"] = "sdxl_base_v1-0";
  const auto fused = fuse({lora_named("one", 4, 4), two}, context, {});
  ASSERT_FALSE(fused);
  EXPECT_EQ(fused.error().message, "LoRA 2 was made for SDXL, the base is Stable Diffusion 1.x");
}

TEST(Fuse, WritesTheDtypeThatIsAskedFor) {
  FakeContext context;
  const auto fused = fuse({lora_named("one", 4, 4)}, context, {{"dtype", "bfloat16"}});
  EXPECT_EQ(Model::from(fused.value().at("model"))->dtype, "bfloat16");
}

TEST(Fuse, WantsAWeightForEachLora) {
  const auto node = make_fuse_node();
  EXPECT_THAT(checked(*node, {{"weights", Value::List{0.6, 0.9}}}, {{"base", 1}, {"loras", 1}}),
              ElementsAre("param 'weights' has 2 numbers, port 'loras' 1 source; there must be one for each"));
  EXPECT_THAT(checked(*node, {{"weights", Value::List{0.6, 0.9}}}, {{"base", 1}, {"loras", 2}}), IsEmpty());
  EXPECT_THAT(checked(*node, {}, {{"base", 1}, {"loras", 3}}), IsEmpty());
}

// The UNet's weights that the recipe makes of the tiny base, in float32.
diffusion::WeightMap fused_unet(const Expected<Outputs>& outputs) {
  constexpr auto kUnet = diffusion::ModelPart::unet;
  const auto model = *Model::from(outputs.value().at("model"));
  const auto base = open_base(model);
  const auto changes = model_changes(model, *base);
  if (!changes) throw Fault(changes.error().message);
  return *diffusion::with_changes(*base->weights(kUnet), changes->at(kUnet));
}

at::Tensor base_weight(const std::string& layer) {
  const auto base = open_base(*Model::from(tiny_base()));
  return base->weights(diffusion::ModelPart::unet)->at(layer + ".weight").to(at::kDouble);
}

TEST(Fuse, CountsBlocksInTheLayersAlphasAndLeavesOutThoseThatCountNothing) {
  FakeContext context;
  const std::string up = "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
  const auto outputs = fuse({lora_named("one", 4, 3, {kQuery, kKey, up}), lora_named("two", 2, 1)}, context,
                            {{"blocks", Value::List{"mid=0.5,to_k=0", ""}}});
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto model = Model::from(outputs->at("model"));
  const auto& layers = model->loras[0].lora.layers;
  EXPECT_EQ(layers.at(kQuery).alpha, 1.5);
  EXPECT_EQ(layers.at(up).alpha, 3);
  EXPECT_FALSE(layers.contains(kKey));
  EXPECT_EQ(model->loras[1].lora.layers.at(kKey).alpha, 1);
  EXPECT_FALSE(model->merge);
  const auto for_all =
      fuse({lora_named("one", 4, 3), lora_named("two", 2, 1)}, context, {{"blocks", Value::List{"mid=0.5"}}});
  const auto both = Model::from(for_all.value().at("model"))->loras;
  EXPECT_EQ(both[0].lora.layers.at(kQuery).alpha, 1.5);
  EXPECT_EQ(both[1].lora.layers.at(kQuery).alpha, 0.5);
}

TEST(Fuse, RefusesABlockThatALoraDoesNotHave) {
  FakeContext context;
  const auto outputs = fuse({lora_named("one", 4, 4), lora_named("two", 2, 1, {kQuery})}, context,
                            {{"blocks", Value::List{"to_k=0.5"}}});
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().message,
            "LoRA 2: block weight 'to_k=0.5': the LoRA has no such layer; its layers are such "
            "as 'mid_block.attentions.0.transformer_blocks.0.attn1.to_q'");
}

TEST(Fuse, KeepsTheRuleOfAMergeInTheRecipe) {
  FakeContext context;
  const std::vector<LoraSet> loras{lora_named("one", 4, 4), lora_named("two", 2, 1)};
  const auto ties = Model::from(fuse(loras, context, {{"method", "ties"}, {"seed", 7}}).value().at("model"));
  EXPECT_EQ(ties->merge->method, "ties");
  EXPECT_EQ(ties->merge->density, 0.2);
  EXPECT_EQ(ties->merge->seed, 0);
  EXPECT_THAT(ties->merge->blocks, IsEmpty());
  const auto dare = Model::from(
      fuse(loras, context, {{"method", "dare"}, {"density", 0.8}, {"seed", 7}, {"blocks", Value::List{"mid=0.5"}}})
          .value()
          .at("model"));
  EXPECT_EQ(dare->merge->method, "dare");
  EXPECT_EQ(dare->merge->density, 0.8);
  EXPECT_EQ(dare->merge->seed, 7);
  EXPECT_THAT(dare->merge->blocks, ElementsAre("mid=0.5", "mid=0.5"));
  EXPECT_EQ(dare->loras[0].lora.layers.at(kQuery).alpha, 4);
}

TEST(Fuse, MergesIntoTheWeightsWhatCombineMerges) {
  const std::vector<LoraSet> loras{lora_named("one", 4, 4), lora_named("two", 2, 1), lora_named("three", 3, 3)};
  for (const char* method : {"ties", "dare"}) {
    std::map<std::string, Value> params{{"method", method},
                                        {"density", 0.4},
                                        {"seed", 3},
                                        {"weights", Value::List{1, 0.5, 0.8}},
                                        {"blocks", Value::List{"to_q=2", "", "to_k=0"}}};
    FakeContext context;
    const auto weights = fused_unet(fuse(loras, context, params));
    params["error"] = 0;
    FakeDevice device;
    Inputs inputs;
    for (const auto& lora : loras) inputs["loras"].push_back(lora.to_artifact());
    const auto combined = lora_out(run_node(*make_combine_node(), inputs, params, context, device));
    for (const auto* layer : {kQuery, kKey}) {
      const auto merged = weights.at(std::string(layer) + ".weight").to(at::kDouble) - base_weight(layer);
      EXPECT_LE(distance(merged, delta(combined, layer)), 1e-5) << method << " " << layer;
    }
  }
}

TEST(Fuse, MergesAllLorasOfAModelAtOnce) {
  FakeContext context;
  const auto one = lora_named("one", 4, 4), two = lora_named("two", 2, 1);
  const auto summed = fuse({one}, context, {}).value().at("model");
  EXPECT_EQ(fuse({two}, context, {{"method", "ties"}}, summed).error().message,
            "the method ties takes all LoRAs at once, and this base is fused already: give the base without LoRAs, and "
            "all of them");
  const auto merged = fuse({one, two}, context, {{"method", "dare"}}).value().at("model");
  EXPECT_EQ(fuse({two}, context, {}, merged).error().message,
            "the LoRAs of this model are merged by the method dare, which takes all at once: give its base to one fuse "
            "with all of them");
  EXPECT_EQ(Model::from(fuse({two}, context, {}, summed).value().at("model"))->loras.size(), 2u);
}

TEST(Fuse, TellsParamsThatDoNotFitTogetherBeforeItRuns) {
  const auto node = make_fuse_node();
  const std::map<std::string, std::size_t> three{{"base", 1}, {"loras", 3}};
  EXPECT_THAT(checked(*node, {{"blocks", Value::List{"in=0", "mid=1,out=0.5", ""}}}, three), IsEmpty());
  EXPECT_THAT(checked(*node, {{"blocks", Value::List{"in=0"}}}, three), IsEmpty());
  EXPECT_THAT(
      checked(*node, {{"blocks", Value::List{"in=0", "mid"}}}, three),
      ElementsAre("param 'blocks' has 2 texts, port 'loras' 3 sources; there must be one for all or one for each",
                  "param 'blocks', text 2: block weight 'mid': write block=weight, such as in=0,mid=1,out=0.5"));
  EXPECT_THAT(checked(*node, {{"density", 0.5}}, three),
              ElementsAre("param 'density' goes with the methods ties and dare; the method is sum"));
  EXPECT_THAT(checked(*node, {{"method", "ties"}, {"density", 0}}, three),
              ElementsAre("density 0 is out of range: give more than 0 and at most 1"));
  EXPECT_THAT(checked(*node, {{"method", "dare"}, {"density", 0.9}}, three), IsEmpty());
}

}  // namespace
}  // namespace atelier
