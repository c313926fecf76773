// The training of an autoencoder: against diffusers and torch, and by what it does to latents.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <limits>

#include "diffusion/latent_scale.h"
#include "diffusion/thread_count.h"
#include "diffusion/vae_trainer.h"
#include "golden_unet.h"
#include "goldens.h"

namespace atelier::diffusion {
namespace {

using test::near;

const std::filesystem::path kGolden = std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden";

const ModelFolder& tiny() {
  static const ModelFolder folder{kGolden / "sd1_tiny/model"};
  return folder;
}

VaeTrainingOptions five_steps() {
  VaeTrainingOptions options;
  options.rate = {.curve = LrCurve::constant, .peak = 1e-3, .steps = 5};
  options.losses = {.gradient_weight = 0.5, .gradient_scales = 3, .kl_weight = 1e-2};
  return options;
}

VaeConfig config() { return must(parse_vae_config(tiny().json("vae/config.json"), "config.json")); }

VaeTrainer trainer(const VaeTrainingOptions& options = five_steps()) {
  return must(VaeTrainer::create(config(), tiny().weights("vae"), at::kCPU, options));
}

const std::map<std::string, at::Tensor>& golden() {
  static const auto tensors = test::read_all(kGolden / "vae_training.safetensors");
  return tensors;
}

VaeStep golden_step(VaeTrainer& training, int64_t step) {
  return must(training.step(golden().at("pictures")[step], golden().at(fmt::format("noise.{}", step))));
}

TEST(VaeTraining, TakesTheStepsThatDiffusersAndTorchTake) {
  auto training = trainer();
  const at::Tensor told = golden().at("told");  // [steps, 5]
  for (int64_t step = 0; step < told.size(0); ++step) {
    const VaeStep done = golden_step(training, step);
    const auto wanted = [&](int64_t column) { return told[step][column].item<double>(); };
    EXPECT_NEAR(done.loss, wanted(0), 2e-5 * wanted(0));
    EXPECT_NEAR(done.reconstruction, wanted(1), 2e-5 * wanted(1));
    EXPECT_NEAR(done.gradient, wanted(2), 2e-5 * wanted(2));
    EXPECT_NEAR(done.kl, wanted(3), 2e-5 * wanted(3));
    EXPECT_NEAR(done.gradient_norm, wanted(4), 1e-3 * wanted(4));
  }
  const auto weights = training.weights();
  constexpr std::string_view kAfter = "after.";
  for (const auto& [name, tensor] : golden()) {
    if (!name.starts_with(kAfter)) continue;
    EXPECT_TRUE(near(weights.at(name.substr(kAfter.size())), tensor, 2e-4)) << name;
  }
}

TEST(VaeTraining, GoesOnFromAStateToTheBit) {
  VaeTrainingOptions options = five_steps();
  options.ema_decay = 0.9;
  auto whole = trainer(options), first = trainer(options), second = trainer(options);
  for (int64_t step = 0; step < 5; ++step) golden_step(whole, step);
  for (int64_t step = 0; step < 2; ++step) golden_step(first, step);
  must(second.restore(first.state()));
  EXPECT_EQ(second.steps(), 2);
  for (int64_t step = 2; step < 5; ++step) golden_step(second, step);
  for (const auto& [name, weight] : whole.weights()) EXPECT_TRUE(weight.equal(second.weights().at(name))) << name;
}

TEST(VaeTraining, AddsPassesUpToTheGradientOfTheWholeWithTheSameBitsOnOneThreadAndOnTwo) {
  const auto two_steps = [](int threads, int64_t micro_batch) {
    const ThreadCount guard(threads);
    VaeTrainingOptions options = five_steps();
    options.micro_batch = micro_batch;
    auto training = trainer(options);
    const VaeStep first = golden_step(training, 0);
    golden_step(training, 1);
    return std::pair(first, training.weights());
  };
  const auto [whole, whole_weights] = two_steps(1, 0);
  const auto [parts, one_thread] = two_steps(1, 1);
  const auto [again, two_threads] = two_steps(2, 1);
  EXPECT_NEAR(parts.loss / whole.loss, 1, 1e-6);
  EXPECT_NEAR(parts.kl / whole.kl, 1, 1e-6);
  EXPECT_NEAR(parts.gradient_norm / whole.gradient_norm, 1, 1e-5);
  for (const auto& [name, weight] : one_thread) EXPECT_TRUE(weight.equal(two_threads.at(name))) << name;
}

TEST(VaeTraining, LeavesTheEncoderWhereTheDecoderAloneIsTrained) {
  VaeTrainingOptions options = five_steps();
  options.train_encoder = false;
  auto training = trainer(options);
  const auto before = must(tiny().vae()->encode(golden().at("pictures")[0]));
  golden_step(training, 0);
  const auto after = must(must(training.trained())->encode(golden().at("pictures")[0]));
  EXPECT_TRUE(after.mean.equal(before.mean));
  for (const auto& [name, weight] : training.weights())
    EXPECT_TRUE(name.starts_with("decoder.") || name.starts_with("post_quant_conv.")) << name;
}

TEST(VaeTraining, RefusesAStateThatLacksATensorAndChangesNothing) {
  auto training = trainer();
  TrainerState state = trainer().state();
  state.tensors.erase("decoder.conv_in.weight");
  EXPECT_EQ(training.restore(state).error().message, "training: the state has no tensor 'decoder.conv_in.weight'");
  EXPECT_EQ(training.steps(), 0);
}

TEST(VaeTraining, RefusesNoiseOfAnotherShape) {
  auto training = trainer();
  EXPECT_EQ(training.step(golden().at("pictures")[0], at::zeros({2, 4, 4, 4})).error().message,
            "training: the noises have shape [2, 4, 4, 4], wanted is [2, 4, 4, 6]");
}

TEST(VaeTraining, StopsAtALossThatIsNoNumberAndAppliesNothing) {
  auto training = trainer();
  const at::Tensor broken = at::full({2, 3, 16, 24}, std::numeric_limits<float>::quiet_NaN());
  const auto before = training.weights();
  EXPECT_EQ(training.step(broken, golden().at("noise.0")).error().message,
            "training: the loss is not finite at step 0, at the learning rate 0.001; nothing of this step was applied, "
            "and a lower learning rate may help");
  for (const auto& [name, weight] : training.weights()) EXPECT_TRUE(weight.equal(before.at(name))) << name;
}

TEST(VaeTraining, RecordsNothingOfAnAutoencoderThatDoesNotLearn) {
  const at::AutoGradMode on(true);
  EXPECT_FALSE(must(tiny().vae()->encode(golden().at("pictures")[0])).mean.requires_grad());
}

TEST(LatentScale, GivesEachChannelMean0AndDeviation1AndKeepsTheReconstructions) {
  const VaeConfig vae_config = config();
  auto weights = tiny().weights("vae");
  const at::Tensor pictures = golden().at("pictures").flatten(0, 1);
  const auto vae = tiny().vae();
  const auto before = must(vae->encode(pictures));
  must(standardise_latents(weights, vae_config, latent_statistics(before.mean)));

  WeightReader reader(weights, "vae");
  const auto moved = must(Vae::create(vae_config, reader));
  const auto after = must(moved->encode(pictures));
  const auto statistics = latent_statistics(after.mean * vae_config.scaling_factor);
  EXPECT_LT(statistics.mean.abs().max().item<double>(), 1e-5);
  EXPECT_LT((statistics.std - 1).abs().max().item<double>(), 1e-4);
  const at::Tensor noise = at::ones_like(before.mean);
  EXPECT_TRUE(near(must(moved->decode(after.mean + after.std() * noise)),
                   must(vae->decode(before.mean + before.std() * noise)), 1e-4));
}

TEST(LatentScale, RefusesAChannelThatDoesNotVary) {
  auto weights = tiny().weights("vae");
  LatentStatistics statistics{at::zeros({4}, at::kDouble), at::ones({4}, at::kDouble)};
  statistics.std[2] = 0;
  EXPECT_EQ(standardise_latents(weights, config(), statistics).error().message,
            "channel 2 of the latents does not vary (deviation 0)");
}

TEST(LatentScale, RefusesAnAutoencoderThatHasNowhereToPutIt) {
  auto weights = tiny().weights("vae");
  VaeConfig without = config();
  without.quant_conv = false;
  EXPECT_EQ(
      standardise_latents(weights, without, {at::zeros({4}, at::kDouble), at::ones({4}, at::kDouble)}).error().message,
      "the autoencoder has no quant_conv and post_quant_conv, in which the scale of its latents could be put");
}

TEST(GradientDifference, IsZeroForAShiftOfBrightnessAndCountsEveryScaleAlike) {
  const at::Tensor picture = golden().at("pictures")[0];
  EXPECT_LT(gradient_difference(picture, picture + 0.3, 3).item<double>(), 1e-6);
  // A ramp has the same step between neighbours everywhere; at half the size twice that.
  const at::Tensor ramp = at::arange(8, at::kFloat).expand({1, 1, 8, 8});
  EXPECT_NEAR(gradient_difference(at::zeros({1, 1, 8, 8}), ramp, 1).item<double>(), 0.5, 1e-6);
  EXPECT_NEAR(gradient_difference(at::zeros({1, 1, 8, 8}), ramp, 2).item<double>(), 0.75, 1e-6);
  // Sizes that leave less than 2 px are passed over.
  EXPECT_NEAR(gradient_difference(at::zeros({1, 1, 8, 8}), ramp, 9).item<double>(), (0.5 + 1 + 2) / 3, 1e-6);
}

}  // namespace
}  // namespace atelier::diffusion
