#include "diffusion/lora_operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/Parallel.h>

#include <cmath>

#include "diffusion/lora_compare.h"
#include "diffusion/lora_fuse.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::MatchesRegex;

const std::string kQuery = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
const std::string kConv = "down_blocks.0.resnets.0.conv1";

class Operations : public testing::Test {
 protected:
  RandomLoras random{7};
  const Lora a = random.lora(), b = random.lora();

  static Lora of(Lora lora, Architecture architecture) {
    lora.base = LoraBase{architecture};
    return lora;
  }
};

TEST_F(Operations, DiffSubtractsAndTellsWhatIsLeftOut) {
  Lora partly = b;
  partly.layers[kQuery] = a.layers.at(kQuery);
  const LoraResult result = *diff(a, partly);
  EXPECT_THAT(result.notes, ElementsAre("1 of 9 layers are equal in both LoRAs and left out, the first is " + kQuery));
  EXPECT_FALSE(result.relative_error);
  EXPECT_LT(distance(exact_delta(result.lora.layers.at(kConv)),
                     exact_delta(a.layers.at(kConv)) - exact_delta(b.layers.at(kConv))),
            1e-5 * norm(a));
  EXPECT_THAT(diff(a, a)->notes, ElementsAre("the two LoRAs are equal: nothing is left of their difference"));
  EXPECT_THAT(diff(a, a)->lora.layers, IsEmpty());
}

TEST_F(Operations, DiffReducedTellsItsError) {
  const LoraResult result = *diff(a, b, {.limit = RankLimit{.rank = 2}});
  for (const auto& [name, layer] : result.lora.layers) EXPECT_LE(layer.rank(), 2) << name;
  ASSERT_TRUE(result.relative_error);
  EXPECT_NEAR(*result.relative_error,
              compare(result.lora, *subtract(a, b).map([](auto d) { return d.lora; }))->relative, 1e-5);
  EXPECT_THAT(result.notes,
              ElementsAre(MatchesRegex("at rank 2 the difference is [0-9.]+ % off; a higher rank keeps more of it")));
  EXPECT_THAT(diff(a, b, {.limit = RankLimit{.rank = 30, .energy = 0.5}})->notes,
              ElementsAre(MatchesRegex("at rank 30 and energy 0.5 the difference is [0-9.]+ % off; a higher rank .*")));
  EXPECT_THAT(diff(a, b, {.limit = RankLimit{.error = 0.5}})->notes, IsEmpty()) << "it was asked for";
}

TEST_F(Operations, DiffCanRemoveTheSubtrahendsSpaces) {
  const LoraResult result = *diff(a, b, {.method = DiffMethod::subspace, .sides = RemovedSides::left});
  const LoraLayer& left = result.lora.layers.at(kConv);
  const at::Tensor overlap = at::mm(b.layers.at(kConv).b.to(at::kDouble).t(), left.b.to(at::kDouble));
  EXPECT_LT(overlap.norm().item<double>(), 1e-4 * norm(a));
  EXPECT_THAT(diff(a, a, {.method = DiffMethod::subspace})->notes,
              ElementsAre("the subtrahend's spaces hold all of the minuend: nothing is left of it"));
}

TEST_F(Operations, LorasOfTwoArchitecturesAreNotMixed) {
  const Lora one = of(a, Architecture::sd1), two = of(b, Architecture::sdxl);
  const std::string text = "the LoRAs are for two kinds of base, Stable Diffusion 1.x and SDXL";
  EXPECT_EQ(diff(one, two).error().message, text);
  const std::vector<WeightedLora> terms{{&one, 1}, {&two, 1}};
  EXPECT_EQ(combine(terms).error().message, text);
  EXPECT_TRUE(diff(one, b)) << "what is not known is not refused";
}

TEST_F(Operations, CombineIsTheSumInAnyOrder) {
  const BlockWeights half = *BlockWeights::parse("*attn1*=0.5");
  const LoraResult sum = *combine(std::vector<WeightedLora>{{&a, 0.8, half}, {&b, 0.3}});
  const LoraResult other = *combine(std::vector<WeightedLora>{{&b, 0.3}, {&a, 0.8, half}});
  EXPECT_LT(compare(sum.lora, other.lora)->relative, 1e-6);
  EXPECT_LT(distance(exact_delta(sum.lora.layers.at(kQuery)),
                     exact_delta(a.layers.at(kQuery)) * 0.4 + exact_delta(b.layers.at(kQuery)) * 0.3),
            1e-6 * (norm(a) + norm(b)));
}

TEST_F(Operations, CombineOfLorasWithEqualAKeepsTheRank) {
  Lora twin = b;
  for (auto& [name, layer] : twin.layers) {
    layer.a = a.layers.at(name).a;
    layer.b = random.normal({layer.b.size(0), layer.a.size(0)});
  }
  const LoraResult sum = *combine(std::vector<WeightedLora>{{&a, 0.8}, {&twin, 0.3}});
  for (const auto& [name, layer] : sum.lora.layers) {
    EXPECT_EQ(layer.rank(), a.layers.at(name).rank()) << name;
    EXPECT_LT(
        distance(exact_delta(layer), exact_delta(a.layers.at(name)) * 0.8 + exact_delta(twin.layers.at(name)) * 0.3),
        1e-6 * (norm(a) + norm(twin)));
  }
}

TEST_F(Operations, CombineWithAMethodNeedsALimit) {
  const std::vector<WeightedLora> terms{{&a, 1}, {&b, 1}};
  EXPECT_EQ(combine(terms, {.method = Ties{}}).error().message,
            "the method ties gives full matrices: a rank, an energy or an error to reduce them to is needed");
  const LoraResult merged = *combine(terms, {.method = Ties{}, .limit = RankLimit{.rank = 2}});
  EXPECT_GT(merged.relative_error.value(), 0);
  EXPECT_EQ(combine({}).error().message, "nothing to combine: give at least one LoRA");
  const BlockWeights missing = *BlockWeights::parse("up_blocks.7=0.5");
  EXPECT_EQ(combine(std::vector<WeightedLora>{{&a, 1, missing}}).error().message,
            "block weight 'up_blocks.7=0.5': the LoRA has no such layer; its layers are such as "
            "'down_blocks.0.attentions.0.proj_in'");
}

TEST_F(Operations, ResizeBringsEachLayerToItsLimit) {
  EXPECT_EQ(resize(a, {}).error().message, "a reduction needs a rank, an energy or an error");
  EXPECT_EQ(resize(a, {.rank = 0}).error().message, "rank 0 is out of range: give at least 1");
  const LoraResult result = *resize(a, {.rank = 1});
  for (const auto& [name, layer] : result.lora.layers) EXPECT_EQ(layer.rank(), 1) << name;
  EXPECT_GT(*result.relative_error, 0);
}

TEST_F(Operations, ResultsHaveTheSameBitsOnOneThreadAndOnMany) {
  const int before = at::get_num_threads();
  std::vector<Lora> results;
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    results.push_back(diff(a, b, {.limit = RankLimit{.rank = 3}})->lora);
  }
  at::set_num_threads(before);
  for (const auto& [name, layer] : results[0].layers) {
    EXPECT_TRUE(at::equal(layer.a, results[1].layers.at(name).a)) << name;
    EXPECT_TRUE(at::equal(layer.b, results[1].layers.at(name).b)) << name;
  }
}

class Extraction : public testing::Test {
 protected:
  RandomLoras random{11};
  const std::string query = kQuery, conv = kConv;
  const WeightMap base{{query + ".weight", random.normal({12, 10})},
                       {conv + ".weight", random.normal({12, 6, 3, 3})},
                       {conv + ".bias", random.normal({12})}};

  LoraWeights tuned(const std::vector<std::string>& layers) {
    WeightMap weights = base;
    for (const std::string& layer : layers) {
      at::Tensor& weight = weights[layer + ".weight"];
      weight = weight + random.layer(weight.sizes().vec()).delta();
    }
    return {{LoraPart::unet, weights}};
  }
  const LoraWeights bases{{LoraPart::unet, base}};
};

TEST_F(Extraction, GivesBackWhatALoraAdded) {
  const LoraWeights after = tuned({query});
  const LoraResult result = *extract_lora(after, bases, {.limits = {.layers = {.rank = 10}}});
  EXPECT_LT(distance(exact_delta(result.lora.layers.at(query)),
                     after.at(LoraPart::unet).at(query + ".weight") - base.at(query + ".weight")),
            1e-5);
  EXPECT_EQ(result.lora.layers.size(), 1u);
}

TEST_F(Extraction, TellsWhatDiffersAndIsNotInTheLora) {
  EXPECT_THAT(extract_lora(tuned({query, conv}), bases, {.limits = {.layers = {.rank = 10}}})->notes,
              ElementsAre("1 weight that differs belongs to no layer of the LoRA, the first is " + conv + ".weight"));
  const auto both = extract_lora(tuned({query, conv}), bases,
                                 {.limits = {.layers = {.rank = 10}, .convolutions = RankLimit{.rank = 10}}});
  EXPECT_THAT(both->notes, IsEmpty());
  EXPECT_EQ(both->lora.layers.size(), 2u);
}

TEST_F(Extraction, OfEqualModelsIsAnError) {
  EXPECT_EQ(extract_lora(bases, bases, {.limits = {.layers = {.rank = 4}}}).error().message,
            "the two models are equal: there is nothing to extract");
  EXPECT_EQ(extract_lora(tuned({conv}), bases, {.limits = {.layers = {.rank = 4}}}).error().message,
            "the two models differ in no layer that the LoRA could have");
  EXPECT_EQ(
      extract_lora(tuned({query}), bases, {.limits = {.layers = {.rank = 4}}, .layers = {"attn7"}}).error().message,
      "pattern 'attn7' matches nothing of the base; names are such as '" + conv + "'");
}

}  // namespace
}  // namespace atelier::diffusion
