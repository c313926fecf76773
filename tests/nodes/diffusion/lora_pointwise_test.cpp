// A layer that is a 1x1 convolution in one file and linear in another: kohya's tools write proj_in and proj_out either
// way, whatever the base has.
#include <gtest/gtest.h>

#include <ATen/core/grad_mode.h>
#include "diffusion/adapters.h"
#include "diffusion/lora_algebra.h"
#include "diffusion/lora_fuse.h"
#include "diffusion/trainable_lora.h"
#include "diffusion/unet.h"

#include "golden_unet.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

constexpr const char* kProjection = "mid_block.attentions.0.proj_in";
constexpr const char* kShortcut = "up_blocks.0.resnets.0.conv_shortcut";

/// The same LoRA in the other form.
Lora turned(Lora lora) {
  for (auto& [name, layer] : lora.layers)
    layer.a = layer.a.dim() == 2 ? layer.a.unsqueeze(-1).unsqueeze(-1) : layer.a.flatten(1);
  return lora;
}

/// A UNet with 1x1 convolutions as projections (SD 1.x) or with linear layers (the others).
std::shared_ptr<const UNet> small_unet(bool linear) {
  UNetConfig config{.levels = {{32, true, 8, 1}, {64, true, 8, 1}}, .cross_attention_dim = 16};
  config.linear_projection = linear;
  WeightReader blank = WeightReader::blank();
  must(UNet::create(config, blank));
  WeightMap weights;
  at::manual_seed(7);
  for (const auto& [name, shape] : blank.asked()) weights[name] = at::randn(shape) * 0.05;
  WeightReader reader(std::move(weights), "a small UNet", {});
  return must(UNet::create(config, reader));
}

at::Tensor noise_of(const UNet& unet, const Lora& lora) {
  const at::NoGradGuard no_grad;
  at::manual_seed(1);
  return unet.forward({at::randn({1, 4, 8, 8}), at::tensor({500}), at::randn({1, 77, 16})}, adapters_of(lora));
}

class Pointwise : public testing::TestWithParam<bool> {
 protected:
  Lora lora_of_unet() {
    Lora lora;
    for (const char* name : {kProjection, kShortcut})
      for (const LoraTarget& target : unet->adaptable_layers())
        if (target.name == name) lora.layers[name] = random.layer(target.weight_shape);
    return lora;
  }
  std::shared_ptr<const UNet> unet = small_unet(GetParam());
  RandomLoras random{5};
};
INSTANTIATE_TEST_SUITE_P(Projections, Pointwise, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Linear" : "Convolution"; });

TEST_P(Pointwise, BesideTheBaseIsTheSameInEitherForm) {
  const Lora own = lora_of_unet(), other = turned(own);
  ASSERT_EQ(own.layers.size(), 2u);
  EXPECT_TRUE(unet->check(own));
  EXPECT_TRUE(unet->check(other));
  EXPECT_TRUE(at::equal(noise_of(*unet, own), noise_of(*unet, other)));
  EXPECT_FALSE(at::allclose(noise_of(*unet, own), noise_of(*unet, {}), 1e-4, 1e-5));
}

TEST_P(Pointwise, GoesOnInTheFormOfTheBase) {
  const Lora other = turned(lora_of_unet());
  const auto trainable = must(TrainableLora::create({unet}, {{other}}));
  std::map<std::string, at::Tensor> values;
  for (const TrainedTensor& tensor : trainable->tensors()) values[tensor.name] = tensor.value[0];
  const Lora learned = trainable->lora_of(values, 0);
  for (const LoraTarget& target : unet->adaptable_layers()) {
    const auto found = learned.layers.find(target.name);
    if (found == learned.layers.end()) continue;
    EXPECT_EQ(found->second.delta_shape(), target.weight_shape) << target.name;
  }
}

TEST_P(Pointwise, IsFusedIntoEitherWeight) {
  Lora lora;
  lora.layers["proj_in"] = random.layer({6, 4});
  const at::Tensor weight = random.normal({6, 4});
  const bool linear = GetParam();
  const WeightMap base{{"proj_in.weight", linear ? weight : weight.view({6, 4, 1, 1})}};
  for (const Lora& each : {lora, turned(lora)}) {
    const auto fused = must(fuse(base, LoraPart::unet, std::vector<WeightedLora>{{&each, 0.5}})).at("proj_in.weight");
    EXPECT_EQ(fused.sizes(), base.at("proj_in.weight").sizes());
    EXPECT_LT(distance(fused.flatten(1), weight + 0.5 * exact_delta(lora.layers.at("proj_in"))), 1e-6);
  }
}

TEST(PointwiseSum, AddsAndSubtractsAcrossForms) {
  RandomLoras random(3);
  Lora first, second;
  first.layers["proj_in"] = random.layer({6, 4});
  second.layers["proj_in"] = random.layer({6, 4});
  const auto exact = [&](double factor) {
    return exact_delta(first.layers.at("proj_in")) + exact_delta(second.layers.at("proj_in")) * factor;
  };
  const Lora other = turned(second);
  const auto sum = must(weighted_sum(std::vector<WeightedLora>{{&first, 1}, {&other, 2}})).layers.at("proj_in");
  EXPECT_EQ(sum.a.dim(), 2) << "the form of the first";
  EXPECT_LT(distance(sum.delta(), exact(2)), 1e-5);
  const auto difference = must(subtract(first, other)).lora.layers.at("proj_in");
  EXPECT_LT(distance(difference.delta(), exact(-1)), 1e-5);
  EXPECT_EQ(must(subtract(first, turned(first))).dropped, std::vector<std::string>{"proj_in"})
      << "equal A are found equal in another form";
}

TEST(PointwiseSum, StaysAMistakeWhereTheShapesAreOthers) {
  RandomLoras random(3);
  Lora wide, narrow;
  wide.layers["proj_in"] = random.layer({6, 4, 3, 3});
  narrow.layers["proj_in"] = random.layer({6, 4});
  EXPECT_EQ(subtract(narrow, wide).error().message,
            "LoRA layer 'proj_in': one LoRA changes a weight of shape [6, 4], the other one of shape [6, 4, 3, 3]; "
            "they were trained on different base models");
  const WeightMap base{{"proj_in.weight", at::zeros({6, 4, 1, 1})}};
  EXPECT_EQ(fuse(base, LoraPart::unet, std::vector<WeightedLora>{{&wide, 1}}).error().message,
            "LoRA layer 'proj_in': changes a weight of shape [6, 4, 3, 3], the base model's is [6, 4, 1, 1]");
}

}  // namespace
}  // namespace atelier::diffusion
