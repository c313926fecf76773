#include <ATen/ATen.h>
#include <fmt/format.h>

#include "diffusion/noise_schedule.h"
#include "diffusion/sampling.h"
#include "golden_unet.h"

namespace atelier::diffusion {
namespace {

class SamplingGolden : public GoldenTest {};
ATELIER_ARCHITECTURES_SUITE(SamplingGolden);

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

/// What the UNet is told of one text.
UNetInput golden_words(const GoldenFolder& g, int64_t text) {
  const UNetInput all = g.input();
  const auto row = [text](const at::Tensor& values) {
    return values.defined() ? values.slice(0, text, text + 1) : values;
  };
  return {{}, {}, row(all.context), row(all.pooled), row(all.time_ids)};
}

SampleRequest golden_request(const GoldenFolder& g) {
  SampleRequest request;
  const UNetInput with = golden_words(g, 0), without = golden_words(g, 1);  // prompt 1 is the empty one
  request.positive = {with.context, with.pooled};
  request.negative = {without.context, without.pooled};
  request.time_ids = with.time_ids;
  request.negative_time_ids = without.time_ids;
  request.steps = g.facts["sample"]["steps"];
  request.guidance = g.facts["sample"]["guidance"];
  return request;
}

SchedulerConfig golden_scheduler(const GoldenFolder& g, SamplerKind kind) {
  SchedulerConfig config = g.scheduler();
  if (kind != SamplerKind::dpmpp_2m_karras) return config;
  config.timestep_spacing = TimestepSpacing::linspace;
  config.steps_offset = 0;
  return config;
}

TEST_P(SamplingGolden, PaintsTheLatentThatDiffusersPaintsWithEachSampler) {
  const GoldenFolder& g = *golden;
  const auto unet = g.unet();
  for (const SamplerName& entry : sampler_names()) {
    const std::string prefix = fmt::format("sample.{}.", entry.name);
    if (!g.values.contains(prefix + "latent")) continue;
    SCOPED_TRACE(entry.name);
    SampleRequest request = golden_request(g);
    request.sampler = entry.kind;
    const SchedulerConfig config = golden_scheduler(g, entry.kind);
    const auto sampler = must(make_sampler(entry.kind, config, request.steps));
    EXPECT_TRUE(at::allclose(at::tensor(sampler->timesteps()).to(at::kFloat), g[prefix + "timesteps"], 0, 1e-3));
    if (g.values.contains(prefix + "sigmas")) {
      EXPECT_TRUE(at::allclose(at::tensor(sampler->sigmas()).to(at::kFloat), g[prefix + "sigmas"], 1e-5, 1e-7));
    }

    int64_t drawn = 0;
    const auto draw = [&](double, double) {
      ++drawn;
      return g[prefix + "noise"].slice(0, drawn - 1, drawn);
    };
    const SampleNoise noise{g["sample.start"], draw};
    const at::Tensor wanted = g[prefix + "latent"];
    const auto latent = must(sample_from(*unet, config, {}, request, noise));
    EXPECT_LT(greatest_difference(*latent, wanted), 3e-4 * wanted.abs().max().item<double>());
  }
}

SampleRequest short_request(const GoldenFolder& g) {
  SampleRequest request = golden_request(g);
  request.height = request.width = 16;
  request.steps = 3;
  return request;
}

TEST_P(SamplingGolden, PaintsASeedTheSameWhateverElseIsAskedFor) {
  const auto unet = golden->unet();
  for (const SamplerName& entry : sampler_names()) {
    SCOPED_TRACE(entry.name);
    SampleRequest request = short_request(*golden);
    request.sampler = entry.kind;
    request.batch = 2;
    request.seeds = {5, 9};
    const auto two = must(sample_latents(*unet, golden->scheduler(), {}, request));
    request.seeds = {9};
    const auto one = must(sample_latents(*unet, golden->scheduler(), {}, request));
    EXPECT_TRUE(at::equal((*two)[1], (*one)[0]));
    EXPECT_FALSE(at::equal((*two)[0], (*two)[1]));
  }
}

TEST_P(SamplingGolden, WalksABatchOfRowsAsItWalksEach) {
  const auto unet = golden->unet();
  for (const SamplerKind kind : {SamplerKind::dpmpp_2m, SamplerKind::dpmpp_sde_karras, SamplerKind::unipc}) {
    SampleRequest request = short_request(*golden);
    request.sampler = kind;
    const auto painted = [&](const at::Tensor& start) {
      const SampleNoise noise{start, [&](double, double) { return start * 0.5; }};
      return *must(sample_from(*unet, golden->scheduler(), {}, request, noise));
    };
    const at::Tensor start = at::cat({start_noise(1, 4, 16, 16), start_noise(2, 4, 16, 16)});
    const at::Tensor together = painted(start);
    EXPECT_LT(greatest_difference(together[1], painted(start.slice(0, 1, 2))[0]), 1e-3);
    EXPECT_GT(greatest_difference(together[0], together[1]), 0.1);
  }
}

TEST_P(SamplingGolden, GuidesInTwoPassesAsInOne) {
  SampleRequest request = short_request(*golden);
  request.seeds = {5};
  request.guidance_rescale = 0.7;
  const auto unet = golden->unet();
  const auto one_pass = must(sample_latents(*unet, golden->scheduler(), {}, request));
  request.guide_in_one_pass = false;
  const auto two_passes = must(sample_latents(*unet, golden->scheduler(), {}, request));
  EXPECT_LT(greatest_difference(*one_pass, *two_passes), 1e-3);
  request.guidance_rescale = 0;
  EXPECT_GT(greatest_difference(*one_pass, *must(sample_latents(*unet, golden->scheduler(), {}, request))), 1e-2);
}

TEST_P(SamplingGolden, GuidesWithANegativePromptOfAnotherLength) {
  SampleRequest request = short_request(*golden);
  request.seeds = {5};
  const at::Tensor twice = at::cat({request.positive.context, request.positive.context}, 1);
  const auto unet = golden->unet();
  const auto once = must(sample_latents(*unet, golden->scheduler(), {}, request));
  // Attention to the same states twice is attention to them once.
  request.positive.context = twice;
  EXPECT_LT(greatest_difference(*once, *must(sample_latents(*unet, golden->scheduler(), {}, request))), 1e-3);
}

TEST_P(SamplingGolden, StartsFromLatentsAtAStrength) {
  SampleRequest request = short_request(*golden);
  request.steps = 10;
  request.seeds = {5, 6};
  const auto unet = golden->unet();
  const at::Tensor picture = at::full({1, 4, 16, 16}, 0.5);
  const auto painted_at = [&](double strength, SamplerKind kind) {
    request.latents = picture;
    request.strength = strength;
    request.sampler = kind;
    int64_t calls = 0;
    const auto latents = must(sample_latents(*unet, golden->scheduler(), {}, request, [&](int64_t done, int64_t) {
      calls = done;
      return true;
    }));
    return std::pair{greatest_difference(*latents, picture.expand({2, -1, -1, -1})), calls};
  };
  for (const SamplerName& entry : sampler_names()) {
    const auto [little, few] = painted_at(0.1, entry.kind);
    const auto [much, many] = painted_at(1.0, entry.kind);
    EXPECT_LT(little, much) << entry.name;
    const int64_t twice = entry.kind == SamplerKind::dpmpp_sde_karras ? 2 : 1;
    EXPECT_EQ(few, 2 * 1) << "of each seed the last step, which takes one call";
    EXPECT_EQ(many, 2 * (10 * twice - (twice - 1))) << entry.name;
  }
}

TEST_P(SamplingGolden, StopsWhenItsProgressSaysSo) {
  SampleRequest request = short_request(*golden);
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
  SampleRequest request = short_request(*golden);
  EXPECT_EQ(error_of(request), "sampling: no seed was given");
  request.seeds = {1, 2};
  const std::string shape = shape_text(request.positive.context.sizes());
  const at::Tensor negative = request.negative.context;
  request.negative.context = at::ones({1, 3, 5});
  EXPECT_EQ(error_of(request),
            "sampling: the prompt's embedding has shape " + shape + ", the negative prompt's [1, 3, 5]");
  request.negative.context = at::Tensor();
  EXPECT_EQ(error_of(request), "sampling: guidance above 1 needs the negative prompt's embedding");
  request.guidance = 1;
  request.steps = 1;
  EXPECT_TRUE(must(sample_latents(*unet, golden->scheduler(), {}, request)).has_value());
  request.positive.context = negative[0];
  EXPECT_EQ(error_of(request), "sampling: the prompt's embedding has shape " + shape_text(negative[0].sizes()) +
                                   "; it must be [1, tokens, width]");
}

TEST_P(SamplingGolden, RefusesAnImageToImageThatCannotBeDone) {
  const auto unet = golden->unet();
  SampleRequest request = short_request(*golden);
  request.seeds = {1, 2};
  request.latents = at::zeros({1, 4, 16, 16});
  const auto error_of = [&] { return sample_latents(*unet, golden->scheduler(), {}, request).error().message; };
  request.strength = 1.5;
  EXPECT_EQ(error_of(), "sampling: strength is 1.5; it must be above 0 and at most 1");
  request.strength = 0.2;
  EXPECT_EQ(error_of(), "sampling: strength 0.2 of 3 steps leaves no step to do");
  request.latents = at::zeros({3, 4, 16, 16});
  EXPECT_EQ(error_of(),
            "sampling: the latents to start from have shape [3, 4, 16, 16]; expected [1, C, h, w] or [2, C, h, w]");
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
