// The UNet of every architecture against diffusers 0.42.1, and by its laws.
#include "diffusion/unet.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

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
    return golden->unet()->forward(golden->input(), adapters);
  }

  Lora lora(const std::string& file) const { return must(read_lora(golden->path / file)); }

  /// The input of its first `rows` samples.
  UNetInput first(int64_t rows) const {
    UNetInput in = golden->input();
    for (at::Tensor* part : {&in.sample, &in.timesteps, &in.context, &in.pooled, &in.time_ids})
      if (part->defined()) *part = part->narrow(0, 0, rows);
    return in;
  }
};

ATELIER_ARCHITECTURES_SUITE(UNetGolden);

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

TEST_P(UNetGolden, AppliesALoraOfEveryKindOfLayerWithUnequalRanksAndAlphas) {
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
  const at::Tensor wanted = exact->forward(g.input());
  EXPECT_LT(greatest_difference(forward(adapters_of(lora)), wanted), tolerance * wanted.abs().max().item<double>());
  EXPECT_GT(greatest_difference(wanted, g["unet.out"]), 1e-2);
}

TEST_P(UNetGolden, PredictsForMapsOfOddSizesAsDiffusersResizesThem) {
  const at::NoGradGuard no_grad;
  UNetInput in = first(1);
  in.sample = at::ones({1, 4, 10, 14});
  EXPECT_EQ(shape_text(golden->unet()->forward(in).sizes()), "[1, 4, 10, 14]");
}

using SdxlUNet = UNetGolden;
INSTANTIATE_TEST_SUITE_P(Own, SdxlUNet, ::testing::Values("sdxl_tiny"), golden_name);
INSTANTIATE_TEST_SUITE_P(Peers, SdxlUNet, ::testing::Values("peers/sdxl"), golden_name);

TEST_P(SdxlUNet, TellsPooledTextAndSizesApart) {
  const at::NoGradGuard no_grad;
  const auto unet = golden->unet();
  const at::Tensor wanted = unet->forward(first(1));
  for (int64_t size = 0; size < 6; ++size) {
    UNetInput in = first(1);
    in.time_ids = in.time_ids.clone();
    in.time_ids.select(1, size).add_(8);
    EXPECT_GT(greatest_difference(unet->forward(in), wanted), 1e-5) << size;
  }
  UNetInput in = first(1);
  in.pooled = in.pooled + 1;
  EXPECT_GT(greatest_difference(unet->forward(in), wanted), 1e-4);
}

TEST_P(UNetGolden, IsCloseInBfloat16AndGivesFloat32) {
  const at::NoGradGuard no_grad;
  const GoldenFolder& g = *golden;
  const at::Tensor wanted = g["unet.out"];
  const at::Tensor out = g.unet({at::kCPU, at::kBFloat16})->forward(g.input());
  EXPECT_EQ(out.scalar_type(), at::kFloat);
  const double difference = greatest_difference(out, wanted) / wanted.abs().max().item<double>();
  EXPECT_LT(difference, 0.1);
  EXPECT_GT(difference, 1e-4) << "bfloat16 cannot be that exact";
}

TEST_P(UNetGolden, TakesAttentionInFloat32WhereTheConfigurationAsksForIt) {
  const at::NoGradGuard no_grad;
  const GoldenFolder& g = *golden;
  UNetConfig config = g.unet()->config();
  config.upcast_attention = true;
  const auto build = [&](at::ScalarType dtype) {
    WeightReader reader(g.weights("unet"), "unet", {at::kCPU, dtype});
    return must(UNet::create(config, reader));
  };
  EXPECT_LT(greatest_difference(build(at::kFloat)->forward(g.input()), g["unet.out"]), tolerance);
  const at::Tensor upcast = build(at::kBFloat16)->forward(g.input());
  EXPECT_LT(greatest_difference(upcast, g["unet.out"]) / g["unet.out"].abs().max().item<double>(), 0.1);
}

TEST_P(UNetGolden, RefusesOtherPrecisions) {
  WeightReader reader(golden->weights("unet"), "unet", {at::kCPU, at::kDouble});
  EXPECT_EQ(UNet::create(golden->unet()->config(), reader).error().message,
            "UNet: computes in float32, bfloat16 or float16, not in Double");
  WeightReader half(golden->weights("unet"), "unet", {at::kCPU, at::kHalf});
  EXPECT_EQ(UNet::create(golden->unet()->config(), half).error().message,
            "UNet: float16 needs a GPU; on the CPU it computes in float32 or bfloat16");
}

TEST_P(UNetGolden, SaysWhichShapeDoesNotFit) {
  const auto unet = golden->unet();
  const int64_t width = unet->config().cross_attention_dim;
  const auto error = [&](void (*change)(UNetInput&)) {
    UNetInput in = first(2);
    in.sample = at::ones({2, 4, 8, 8});
    change(in);
    const auto fits = unet->check(in);
    return fits ? "" : fits.error().message;
  };
  EXPECT_EQ(error([](UNetInput&) {}), "");
  EXPECT_EQ(error([](UNetInput& in) { in.context = at::Tensor(); }),
            "UNet: a sample, timesteps and caption embeddings are wanted, and one of them is missing");
  EXPECT_EQ(error([](UNetInput& in) { in.sample = in.sample.slice(1, 0, 3); }),
            "UNet: the sample has shape [2, 3, 8, 8], wanted is [N, 4, height, width]");
  EXPECT_EQ(error([](UNetInput& in) { in.timesteps = in.timesteps.slice(0, 0, 1); }),
            "UNet: the timesteps have shape [1], wanted is [2]");
  EXPECT_EQ(error([](UNetInput& in) { in.context = in.context.slice(2, 0, 3); }),
            "UNet: the caption embeddings have shape [2, 77, 3], wanted is [2, tokens, " + std::to_string(width) + "]");
  if (!golden->sdxl()) {
    EXPECT_EQ(error([](UNetInput& in) {
                in.pooled = at::zeros({2, 8});
              }),
              "UNet: pooled text or sizes were given, which only SDXL takes");
    return;
  }
  const std::string pooled = std::to_string(unet->config().text_time->pooled());
  EXPECT_EQ(error([](UNetInput& in) { in.time_ids = at::Tensor(); }),
            "UNet: SDXL wants the pooled text and the sizes too, and one of them is missing");
  EXPECT_EQ(error([](UNetInput& in) { in.pooled = in.pooled.slice(1, 0, 3); }),
            "UNet: the pooled text has shape [2, 3], wanted is [2, " + pooled + "]");
  EXPECT_EQ(error([](UNetInput& in) { in.time_ids = in.time_ids.slice(1, 0, 5); }),
            "UNet: the sizes have shape [2, 5], wanted is [2, 6]");
}

}  // namespace
}  // namespace atelier::diffusion
