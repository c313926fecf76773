#include "diffusion/lora_fuse.h"

#include <gtest/gtest.h>

#include "random_loras.h"

namespace atelier::diffusion {
namespace {

TEST(LoraFuse, AddsTheWeightedUpdatesAndCastsOnce) {
  RandomLoras random(1);
  Lora a, b;
  a.layers["conv_in"] = random.layer({8, 4, 3, 3});
  b.layers["conv_in"] = random.layer({8, 4, 3, 3});
  const at::Tensor weight = random.normal({8, 4, 3, 3}).to(at::kHalf), other = random.normal({3});
  const WeightMap base = {{"conv_in.weight", weight}, {"conv_in.bias", other}};
  const WeightMap fused = *fuse(base, LoraPart::unet, std::vector<WeightedLora>{{&a, 0.6}, {&b, -0.9}});

  const at::Tensor wanted =
      weight.to(at::kDouble) + exact_delta(a.layers["conv_in"]) * 0.6 - exact_delta(b.layers["conv_in"]) * 0.9;
  const at::Tensor& got = fused.at("conv_in.weight");
  EXPECT_EQ(got.scalar_type(), at::kHalf);
  // Half a unit in the last place of float16, and what float32 adds to it.
  EXPECT_LT(((got.to(at::kDouble) - wanted).abs() / wanted.abs().clamp_min(1e-2)).max().item<double>(), 6e-4);
  EXPECT_TRUE(fused.at("conv_in.bias").is_same(other));
  EXPECT_TRUE(base.at("conv_in.weight").is_same(weight));
}

TEST(LoraFuse, KeepsTextEncoderAndUNetApart) {
  RandomLoras random(2);
  Lora lora;
  lora.layers["text_encoder.text_model.fc1"] = random.layer({4, 4});
  lora.layers["conv_in"] = random.layer({4, 4});
  const WeightMap text = {{"text_model.fc1.weight", at::zeros({4, 4})}}, unet = {{"conv_in.weight", at::zeros({4, 4})}};
  const std::vector<WeightedLora> terms = {{&lora, 1}};
  EXPECT_LT(distance(fuse(text, LoraPart::text_encoder, terms)->at("text_model.fc1.weight"),
                     exact_delta(lora.layers.at("text_encoder.text_model.fc1"))),
            1e-4);
  EXPECT_LT(distance(fuse(unet, LoraPart::unet, terms)->at("conv_in.weight"), exact_delta(lora.layers.at("conv_in"))),
            1e-4);
}

TEST(LoraFuse, FindsTextEncodersWeightsWithAndWithoutTextModelAndTellsTheEncodersApart) {
  RandomLoras random(4);
  Lora lora;
  lora.layers["text_encoder.text_model.fc1"] = random.layer({4, 4});
  lora.layers["text_encoder_2.text_model.fc1"] = random.layer({4, 4});
  const std::vector<WeightedLora> terms = {{&lora, 1}};
  const WeightMap bare = {{"fc1.weight", at::zeros({4, 4})}}, full = {{"text_model.fc1.weight", at::zeros({4, 4})}};
  const at::Tensor first = exact_delta(lora.layers.at("text_encoder.text_model.fc1"));
  const at::Tensor second = exact_delta(lora.layers.at("text_encoder_2.text_model.fc1"));
  EXPECT_LT(distance(fuse(bare, LoraPart::text_encoder, terms)->at("fc1.weight"), first), 1e-4);
  EXPECT_LT(distance(fuse(full, LoraPart::text_encoder_2, terms)->at("text_model.fc1.weight"), second), 1e-4);
  EXPECT_LT(distance(fuse(bare, LoraPart::text_encoder_2, terms)->at("fc1.weight"), second), 1e-4);
  EXPECT_EQ(fuse({}, LoraPart::text_encoder_2, terms).error().message,
            "LoRA layer 'text_encoder_2.text_model.fc1': the base model has no such layer");
}

TEST(LoraFuse, RefusesALoraOfAnotherBase) {
  RandomLoras random(3);
  Lora lora;
  lora.layers["conv_in"] = random.layer({4, 4});
  const std::vector<WeightedLora> terms = {{&lora, 1}};
  EXPECT_EQ(fuse({}, LoraPart::unet, terms).error().message, "LoRA layer 'conv_in': the base model has no such layer");
  EXPECT_EQ(fuse({{"conv_in.weight", at::zeros({4, 5})}}, LoraPart::unet, terms).error().message,
            "LoRA layer 'conv_in': changes a weight of shape [4, 4], the base model's is [4, 5]");
}

}  // namespace
}  // namespace atelier::diffusion
