#include "diffusion/unet.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "diffusion/lora_format.h"
#include "diffusion/lora_fuse.h"
#include "golden_unet.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

constexpr double tolerance = 1e-5;  // absolute, as in goldens.json

class UNetGolden : public GoldenTest {
 protected:
  at::Tensor forward(const Adapters& adapters) const {
    const at::NoGradGuard no_grad;
    const GoldenFolder& g = *golden;
    return g.unet()->forward({g["unet.sample"], g["unet.t"], g["unet.context"]}, adapters);
  }

  Lora lora(const std::string& file) const { return must(read_lora(golden->path / file)); }
};

ATELIER_GOLDEN_SUITE(UNetGolden);

TEST_P(UNetGolden, PredictsWhatDiffusersPredicts) {
  EXPECT_LT(greatest_difference(forward({}), (*golden)["unet.out"]), tolerance);
}

TEST_P(UNetGolden, AppliesALoraReadInEachOfTheThreeNamings) {
  for (const char* file : {"lora_kohya.safetensors", "lora_diffusers.safetensors", "lora_peft.safetensors"}) {
    SCOPED_TRACE(file);
    if (!std::filesystem::exists(golden->path / file)) continue;
    EXPECT_LT(greatest_difference(forward(adapters_of(lora(file))), (*golden)["lora.unet.out"]), tolerance);
  }
}

/// Only the peers' folders have a LoRA of every kind of layer.
using FullLora = UNetGolden;
INSTANTIATE_TEST_SUITE_P(Peers, FullLora, ::testing::Values("peers/sd1", "peers/sd2"), golden_name);

TEST_P(FullLora, IsAppliedToEveryKindOfLayerWithUnequalRanksAndAlphas) {
  const at::Tensor out = forward(adapters_of(lora("lora_full_kohya.safetensors")));
  EXPECT_LT(greatest_difference(out, (*golden)["lora_full.unet.out"]), tolerance);
}

TEST_P(UNetGolden, WithAdaptersOnEveryLayerPredictsWhatFusedWeightsPredict) {
  const at::NoGradGuard no_grad;
  const GoldenFolder& g = *golden;
  const auto unet = g.unet();
  RandomLoras random(5);
  Lora lora;
  for (const LoraTarget& target : unet->adaptable_layers()) {
    LoraLayer layer = random.layer(target.weight_shape);
    layer.alpha *= 0.02 / norm(layer);  // so that the sum of all layers leaves the numbers in their range
    lora.layers[target.name] = layer;
  }
  ASSERT_TRUE(unet->check(lora).has_value());
  WeightMap base = g.weights("unet");
  for (auto& [name, weight] : base) weight = weight.to(at::kFloat);  // float16 would round what is added
  const WeightMap fused = must(fuse(base, LoraPart::unet, std::vector<WeightedLora>{{&lora, 1}}));
  WeightReader reader(fused, "fused");
  const auto exact = must(UNet::create(unet->config(), reader));
  const UNetInput input{g["unet.sample"], g["unet.t"], g["unet.context"]};
  const at::Tensor wanted = exact->forward(input);
  EXPECT_LT(greatest_difference(forward(adapters_of(lora)), wanted), tolerance * wanted.abs().max().item<double>());
  EXPECT_GT(greatest_difference(wanted, g["unet.out"]), 1e-2);
}

TEST_P(UNetGolden, PredictsForMapsOfOddSizesAsDiffusersResizesThem) {
  const at::NoGradGuard no_grad;
  const GoldenFolder& g = *golden;
  const at::Tensor sample = at::ones({1, 4, 10, 14});
  const at::Tensor out = g.unet()->forward({sample, at::tensor({int64_t{5}}), g["unet.context"].slice(0, 0, 1)});
  EXPECT_EQ(shape_text(out.sizes()), "[1, 4, 10, 14]");
}

TEST_P(UNetGolden, RefusesOtherPrecisions) {
  WeightReader reader(golden->weights("unet"), "unet", {at::kCPU, at::kHalf});
  EXPECT_EQ(UNet::create(golden->unet()->config(), reader).error().message, "UNet: only float32 is supported yet");
}

TEST_P(UNetGolden, SaysWhichShapeDoesNotFit) {
  const GoldenFolder& g = *golden;
  const auto unet = g.unet();
  const int64_t width = unet->config().cross_attention_dim;
  const at::Tensor sample = at::ones({2, 4, 8, 8}), t = at::zeros({2}, at::kLong), context = at::ones({2, 77, width});
  EXPECT_TRUE(unet->check({sample, t, context}).has_value());
  EXPECT_EQ(unet->check({sample.slice(1, 0, 3), t, context}).error().message,
            "UNet: the sample has shape [2, 3, 8, 8], wanted is [N, 4, height, width]");
  EXPECT_EQ(unet->check({sample, t.slice(0, 0, 1), context}).error().message,
            "UNet: the timesteps have shape [1], wanted is [2]");
  EXPECT_EQ(unet->check({sample, t, context.slice(2, 0, 3)}).error().message,
            "UNet: the caption embeddings have shape [2, 77, 3], wanted is [2, tokens, " + std::to_string(width) + "]");
}

}  // namespace
}  // namespace atelier::diffusion
