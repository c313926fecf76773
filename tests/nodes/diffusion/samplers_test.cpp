// Every sampler against diffusers' scheduler of its name, without a network: the model is a formula, the noise is
// given. tests/golden/make_samplers.py made the values.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "diffusion/brownian.h"
#include "diffusion/guidance.h"
#include "diffusion/noise_levels.h"
#include "diffusion/sampler.h"
#include "diffusion/timestep_spacing.h"
#include "goldens.h"

namespace atelier::diffusion {
namespace {

using test::near;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

const WeightMap& goldens() {
  static const WeightMap values = test::read_all(ATELIER_SOURCE_DIR "/tests/golden/samplers/samplers.safetensors");
  return values;
}

/// "euler.v_prediction.trailing.10.zero_snr", as make_samplers.py names its cases.
struct Case {
  SamplerKind kind;
  SchedulerConfig config;
  int64_t steps;
  bool image_to_image;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
  return parts;
}

Case case_of(const std::string& name) {
  const auto parts = split(name);
  const std::string option = parts.size() > 4 ? parts[4] : "";
  SchedulerConfig config;
  config.prediction_type = parts[1] == "v_prediction" ? PredictionType::v_prediction : PredictionType::epsilon;
  config.timestep_spacing = must(timestep_spacing_named(parts[2]));
  config.rescale_betas_zero_snr = option == "zero_snr";
  if (option == "sigma_min") config.final_sigma = FinalSigma::sigma_min;
  return {must(sampler_named(parts[0])), config, std::stol(parts[3]), option == "s38"};
}

/// The script's model.
at::Tensor predict(const at::Tensor& x, double t) {
  return 0.6 * at::tanh(x) + 0.3 * at::sin(2.0 * x + t / 250.0) + 0.1 * std::cos(t / 100.0);
}

at::Tensor run(const Case& one, Sampler& sampler) {
  const at::Tensor start = goldens().at("start"), noise = goldens().at("noise");
  int64_t drawn = 0;
  const DrawNoise draw = [&](double, double) { return noise[drawn++]; };
  const auto skipped = one.image_to_image ? one.steps - static_cast<int64_t>(0.38 * static_cast<double>(one.steps)) : 0;
  const std::size_t first = static_cast<std::size_t>(skipped) * sampler.calls_per_step();
  at::Tensor x =
      one.image_to_image ? sampler.add_noise(goldens().at("clean"), start, first) : start * sampler.initial_scale();
  for (std::size_t call = first; call < sampler.timesteps().size(); ++call)
    x = sampler.step(predict(sampler.model_input(x, call), sampler.timesteps()[call]), x, call, draw);
  return x;
}

class SamplerGolden : public testing::TestWithParam<std::string> {};

TEST_P(SamplerGolden, WalksAsDiffusersDoes) {
  std::size_t cases = 0;
  for (const auto& [name, wanted] : goldens()) {
    if (!name.starts_with(GetParam() + ".") || !name.ends_with(".latent")) continue;
    ++cases;
    const std::string case_name = name.substr(0, name.size() - std::string(".latent").size());
    SCOPED_TRACE(case_name);
    const Case one = case_of(case_name);
    const auto sampler = must(make_sampler(one.kind, one.config, one.steps));
    const at::Tensor timesteps = at::tensor(sampler->timesteps(), at::kDouble);
    EXPECT_TRUE(near(timesteps, goldens().at(case_name + ".timesteps"), 1e-3));
    if (goldens().contains(case_name + ".sigmas")) {
      const at::Tensor sigmas = at::tensor(sampler->sigmas(), at::kDouble);
      const at::Tensor wanted_sigmas = goldens().at(case_name + ".sigmas").to(at::kDouble);
      EXPECT_TRUE(at::allclose(sigmas, wanted_sigmas, 1e-5, 1e-7)) << sigmas << wanted_sigmas;
    }
    // From 4096 down to 1 the first step with zero SNR cancels three digits of float32.
    const double tolerance = one.config.rescale_betas_zero_snr ? 2e-4 : 2e-5;
    EXPECT_TRUE(near(run(one, *sampler), wanted, tolerance * std::max(1.0, wanted.abs().max().item<double>())));
  }
  EXPECT_GE(cases, 19U) << "the goldens hold the sampler";
}

INSTANTIATE_TEST_SUITE_P(All, SamplerGolden,
                         testing::Values("ddim", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_sde_karras",
                                         "unipc"),
                         [](const auto& made) { return made.param; });

TEST(TimestepSpacing, IsToTheNumberAsDiffusersForAnyNumberOfSteps) {
  std::size_t cases = 0;
  for (const auto& [name, wanted] : goldens()) {
    if (!name.starts_with("spacing.")) continue;
    ++cases;
    const auto parts = split(name);
    const TimestepSpacing spacing = must(timestep_spacing_named(parts[2]));
    const SchedulerConfig config;
    const auto timesteps = parts[1] == "one_step" ? space_timesteps(spacing, config, std::stol(parts[3]))
                                                  : space_multistep_timesteps(spacing, config, std::stol(parts[3]));
    EXPECT_TRUE(at::equal(at::tensor(timesteps, at::kDouble).round(), wanted.to(at::kDouble))) << name;
  }
  EXPECT_EQ(cases, 3U * 2 * 17);
}

TEST(Guidance, IsRescaledAsDiffusersDoes) {
  for (const char* amount : {"0.0", "0.7", "1.0"}) {
    const at::Tensor wanted = goldens().at(std::string("rescale.") + amount);
    EXPECT_TRUE(near(rescale_guidance(goldens().at("rescale.guided"), goldens().at("rescale.with"), std::stod(amount)),
                     wanted, 1e-5));
  }
}

TEST(Samplers, AreFoundByTheirNames) {
  for (const SamplerName& entry : sampler_names()) {
    EXPECT_EQ(must(sampler_named(entry.name)), entry.kind);
    EXPECT_EQ(name_of(entry.kind).title, entry.title);
  }
  EXPECT_EQ(sampler_named("heun").error().message,
            "there is no sampler 'heun'; there are ddim, euler, euler_a, dpmpp_2m, dpmpp_2m_karras, dpmpp_sde_karras, "
            "unipc");
}

TEST(Samplers, RefuseMoreStepsThanTheBaseHasTimesteps) {
  const auto error = [](SamplerKind kind, int64_t steps) {
    return make_sampler(kind, SchedulerConfig{}, steps).error().message;
  };
  EXPECT_EQ(error(SamplerKind::ddim, 1001),
            "DDIM: 1001 steps were asked for; it can be 1 to 1000 with the base model's 1000 timesteps");
  EXPECT_EQ(error(SamplerKind::unipc, 1000),
            "UniPC: 1000 steps were asked for; it can be 1 to 999 with the base model's 1000 timesteps");
  EXPECT_EQ(error(SamplerKind::euler, 0),
            "Euler: 0 steps were asked for; it can be 1 to 1000 with the base model's 1000 timesteps");
  SchedulerConfig leading;
  leading.timestep_spacing = TimestepSpacing::leading;
  EXPECT_EQ(make_sampler(SamplerKind::dpmpp_2m, leading, 999).error().message,
            "DPM++ 2M: 999 steps with steps_offset 1 begin at timestep 1000; the base model's last is 999");
}

TEST(Samplers, TakeAsManyStepsAsTheyAllow) {
  for (const SamplerName& entry : sampler_names()) {
    for (const TimestepSpacing spacing :
         {TimestepSpacing::leading, TimestepSpacing::trailing, TimestepSpacing::linspace}) {
      SchedulerConfig config;
      config.timestep_spacing = spacing;
      const Case one{entry.kind, config, 998, false};
      const auto sampler = must(make_sampler(entry.kind, config, one.steps));
      if (sampler->step_noise() != StepNoise::none) continue;  // more noises than the goldens have
      EXPECT_TRUE(run(one, *sampler).isfinite().all().item<bool>()) << entry.name;
    }
  }
}

TEST(Samplers, SpaceAsTheirOwnSchedulerDoesWhereTheConfigurationIsSilent) {
  EXPECT_THAT(must(make_sampler(SamplerKind::ddim, {}, 4))->timesteps(), testing::ElementsAre(751, 501, 251, 1));
  EXPECT_THAT(must(make_sampler(SamplerKind::euler, {}, 4))->timesteps(), testing::ElementsAre(999, 666, 333, 0));
  EXPECT_THAT(must(make_sampler(SamplerKind::unipc, {}, 4))->timesteps(), testing::ElementsAre(999, 749, 500, 250));
}

TEST(NoiseLevels, GiveEachTimestepBackForItsSigma) {
  const NoiseLevels levels(must(NoiseSchedule::create({})));
  for (const double t : {0.0, 17.0, 500.0, 999.0}) EXPECT_NEAR(levels.timestep_of(levels.sigma_at(t)), t, 5e-3);
  EXPECT_EQ(levels.timestep_of(1e6), 999);
  EXPECT_EQ(levels.timestep_of(0), 0);
  EXPECT_EQ(levels.sigma_at(1e6), levels.greatest());
}

TEST(NoiseSchedule, EndsInNoiseAloneWhenItIsRescaled) {
  SchedulerConfig config;
  config.rescale_betas_zero_snr = true;
  const NoiseSchedule schedule = must(NoiseSchedule::create(config));
  EXPECT_EQ(schedule.alphas_cumprod()[-1].item<float>(), 0);
  EXPECT_NEAR(schedule.alphas_cumprod()[0].item<double>(), 1 - 0.00085, 1e-6);
  EXPECT_NEAR(NoiseLevels(schedule).greatest(), 4096, 0.1);
}

TEST(Brownian, IsTheSamePathHoweverItIsAsked) {
  const BrownianPath path(3, {1, 4, 8, 8}, 14.6), again(3, {1, 4, 8, 8}, 12.0);
  EXPECT_TRUE(at::equal(path.at(0.7), again.at(0.7)));
  EXPECT_FALSE(at::equal(path.at(0.7), BrownianPath(4, {1, 4, 8, 8}, 14.6).at(0.7)));
  EXPECT_EQ(path.at(0).abs().max().item<float>(), 0);
  const at::Tensor parts = path.unit_increment(9, 4) * std::sqrt(5.0) + path.unit_increment(4, 1) * std::sqrt(3.0);
  EXPECT_TRUE(near(parts, path.unit_increment(9, 1) * std::sqrt(8.0), 1e-4));
}

TEST(Brownian, HasIncrementsOfUnitVarianceThatDoNotDependOnEachOther) {
  const BrownianPath path(11, {1, 4, 128, 128}, 14.6);
  std::vector<at::Tensor> increments;
  const std::vector<double> times{14.6, 9.7, 5.1, 2.0, 0.4, 0.11, 0.03};
  for (std::size_t i = 0; i + 1 < times.size(); ++i)
    increments.push_back(path.unit_increment(times[i], times[i + 1]).flatten());
  const at::Tensor all = at::stack(increments);  // [6, 65536]
  const at::Tensor products = at::mm(all, all.t()) / static_cast<double>(all.size(1));
  // Of 65,536 values a variance is known to 0.0055, a covariance to 0.0039; this is more than 4 of those.
  EXPECT_TRUE(near(products, at::eye(all.size(0)), 0.025));
  EXPECT_TRUE(near(all.mean(1), at::zeros({all.size(0)}), 0.02));
}

}  // namespace
}  // namespace atelier::diffusion
