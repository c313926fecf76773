#include <ATen/ATen.h>

#include "diffusion/ddim.h"
#include "diffusion/sampler.h"
#include "golden_unet.h"

namespace atelier::diffusion {
namespace {

class SamplingGolden : public GoldenTest {};
ATELIER_GOLDEN_SUITE(SamplingGolden);

TEST_P(SamplingGolden, NoisesAsDiffusersDoes) {
  const GoldenFolder& g = *golden;
  const NoiseSchedule schedule = must(NoiseSchedule::create(g.scheduler()));
  EXPECT_LT(greatest_difference(schedule.add_noise(g["noise.x0"], g["noise.eps"], g["noise.t"]), g["noise.noised"]),
            1e-6);
  EXPECT_LT(greatest_difference(schedule.velocity(g["noise.x0"], g["noise.eps"], g["noise.t"]), g["noise.velocity"]),
            1e-6);
}

TEST_P(SamplingGolden, DrawsTheSameStartFromASeedAsTorch) {
  const at::Tensor wanted = (*golden)["seed42.noise"];  // [2, 4, 16, 16] from one generator
  const at::Tensor drawn = start_noise(42, wanted.size(0) * wanted.size(1), wanted.size(2), wanted.size(3));
  EXPECT_TRUE(at::allclose(drawn.view(wanted.sizes()), wanted, 0, 1e-6));
}

SampleRequest golden_request(const GoldenFolder& g) {
  SampleRequest request;
  request.prompt = g["unet.context"].slice(0, 0, 1);  // prompt 0 against prompt 1, the empty one
  request.negative = g["unet.context"].slice(0, 1, 2);
  request.steps = g.facts["sample"]["steps"];
  request.guidance = g.facts["sample"]["guidance"];
  return request;
}

TEST_P(SamplingGolden, PaintsTheLatentThatDiffusersPaintsWithDdim) {
  const GoldenFolder& g = *golden;
  const Ddim ddim = must(Ddim::create(g.scheduler(), golden_request(g).steps));
  EXPECT_TRUE(at::equal(at::tensor(ddim.timesteps()).to(at::kFloat), g["sample.ddim.timesteps"]));

  const auto latent = must(sample_from(*g.unet(), g.scheduler(), {}, golden_request(g), g["sample.start"]));
  const at::Tensor wanted = g["sample.ddim.latent"];
  EXPECT_LT(greatest_difference(*latent, wanted), 3e-4 * wanted.abs().max().item<double>());
}

TEST_P(SamplingGolden, PaintsASeedTheSameWhateverElseIsAskedFor) {
  SampleRequest request = golden_request(*golden);
  request.height = request.width = 16;
  request.steps = 2;
  const auto unet = golden->unet();
  request.seeds = {5, 9};
  const auto two = must(sample_latents(*unet, golden->scheduler(), {}, request));
  request.seeds = {9};
  const auto one = must(sample_latents(*unet, golden->scheduler(), {}, request));
  EXPECT_TRUE(at::equal((*two)[1], (*one)[0]));
}

TEST_P(SamplingGolden, StopsWhenItsProgressSaysSo) {
  SampleRequest request = golden_request(*golden);
  request.height = request.width = 16;
  request.steps = 4;
  request.seeds = {1, 2};
  std::vector<int64_t> seen;
  const auto stopped =
      must(sample_latents(*golden->unet(), golden->scheduler(), {}, request, [&](int64_t done, int64_t total) {
        EXPECT_EQ(total, 8);
        seen.push_back(done);
        return done < 5;
      }));
  EXPECT_FALSE(stopped.has_value());
  EXPECT_EQ(seen, (std::vector<int64_t>{1, 2, 3, 4, 5}));
}

TEST_P(SamplingGolden, RefusesRequestsThatAreIncomplete) {
  const auto unet = golden->unet();
  const auto error_of = [&](const SampleRequest& request) {
    return sample_latents(*unet, golden->scheduler(), {}, request).error().message;
  };
  SampleRequest request = golden_request(*golden);
  EXPECT_EQ(error_of(request), "sampling: no seed was given");
  request.seeds = {1};
  const std::string shape = shape_text(request.prompt.sizes());
  request.negative = at::ones({1, 3, 5});
  EXPECT_EQ(error_of(request),
            "sampling: the prompt's embedding has shape " + shape + ", the negative prompt's [1, 3, 5]");
  request.negative = at::Tensor();
  EXPECT_EQ(error_of(request), "sampling: guidance above 1 needs the negative prompt's embedding");
  request.guidance = 1;
  request.height = request.width = 16;
  request.steps = 1;
  EXPECT_TRUE(must(sample_latents(*unet, golden->scheduler(), {}, request)).has_value());
}

TEST(Ddim, RefusesMoreStepsThanTheBaseHasTimesteps) {
  const auto ddim = Ddim::create(SchedulerConfig{}, 1001);
  ASSERT_FALSE(ddim.has_value());
  EXPECT_EQ(ddim.error().message, "DDIM: 1001 steps were asked for; it can be 1 to 1000, the base model's timesteps");
}

TEST(Ddim, SpacesTimestepsInTheThreeWaysOfDiffusers) {
  SchedulerConfig config;
  const auto timesteps = [&](const char* spacing) {
    config.timestep_spacing = spacing;
    return must(Ddim::create(config, 4)).timesteps();
  };
  EXPECT_EQ(timesteps("leading"), (std::vector<int64_t>{751, 501, 251, 1}));
  EXPECT_EQ(timesteps("trailing"), (std::vector<int64_t>{999, 749, 499, 249}));
  EXPECT_EQ(timesteps("linspace"), (std::vector<int64_t>{999, 666, 333, 0}));
  config.timestep_spacing = "golden";
  EXPECT_EQ(Ddim::create(config, 4).error().message,
            "scheduler: timestep_spacing 'golden' is not supported; it can be leading, trailing or linspace");
}

TEST(NoiseSchedule, RefusesWhatItDoesNotKnow) {
  SchedulerConfig config;
  config.num_train_timesteps = 0;
  EXPECT_EQ(NoiseSchedule::create(config).error().message,
            "scheduler: num_train_timesteps is 0; it must be at least 1");
  config.num_train_timesteps = 1000;
  config.beta_schedule = "sigmoid";
  EXPECT_EQ(
      NoiseSchedule::create(config).error().message,
      "scheduler: beta_schedule 'sigmoid' is not supported; it can be linear, scaled_linear or squaredcos_cap_v2");
}

TEST(NoiseSchedule, TurnsAPerfectPredictionIntoTheCleanSampleAndTheNoise) {
  const at::Tensor x0 = at::randn({2, 4, 8, 8}), noise = at::randn({2, 4, 8, 8}), t = at::full({2}, 400, at::kLong);
  for (const PredictionType type : {PredictionType::epsilon, PredictionType::v_prediction}) {
    SchedulerConfig config;
    config.prediction_type = type;
    const NoiseSchedule schedule = must(NoiseSchedule::create(config));
    const auto clean = schedule.denoise(schedule.target(x0, noise, t), schedule.add_noise(x0, noise, t), 400);
    EXPECT_LT(greatest_difference(clean.x0, x0), 1e-5);
    EXPECT_LT(greatest_difference(clean.noise, noise), 1e-5);
  }
}

TEST(Pixels, AreRoundedAndClampedAsDiffusersDoes) {
  const at::Tensor image = at::tensor({-2.0F, -1.0F, 0.0F, 0.5F, 1.0F, 7.0F}).view({1, 1, 1, 6}).expand({1, 3, 1, 6});
  const at::Tensor pixels = to_pixels(image);
  EXPECT_EQ(shape_text(pixels.sizes()), "[1, 1, 6, 3]");
  EXPECT_TRUE(at::equal(pixels.select(3, 0).flatten().to(at::kInt), at::tensor({0, 0, 128, 191, 255, 255}, at::kInt)));
}

}  // namespace
}  // namespace atelier::diffusion
