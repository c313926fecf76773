// A training on four pictures lowers what it is meant to lower.
#include <ATen/ATen.h>

#include <cmath>

#include "diffusion/trainer.h"
#include "golden_unet.h"
#include "random_loras.h"

namespace atelier::diffusion {
namespace {

constexpr int64_t pictures = 4, size = 8, rank = 4, training_steps = 200, fixed_pairs = 256;

/// Four pictures with masks and captions, and whatever noise and timesteps are wanted for them.
class FourPictures {
 public:
  explicit FourPictures(int64_t context_channels)
      : latents_(random_.normal({pictures, 4, size, size})),
        masks_(random_.normal({pictures, 1, size, size}).mul(2).clamp(0, 1)),
        context_(random_.normal({pictures, 77, context_channels})) {}

  /// Each picture `visits` times, each time with noise and timestep of its own.
  TrainingBatch batch(int64_t visits) {
    const int64_t rows = visits * pictures;
    std::vector<int64_t> timesteps;
    for (int64_t i = 0; i < rows; ++i) timesteps.push_back(random_.between(0, 999));
    return {.latents = latents_.repeat({visits, 1, 1, 1}),
            .noise = random_.normal({rows, 4, size, size}),
            .timesteps = at::tensor(timesteps),
            .text = {context_.repeat({visits, 1, 1})},
            .masks = masks_.repeat({visits, 1, 1, 1}),
            .weights = {},
            .row_tenant = {}};
  }

 private:
  RandomLoras random_{12};
  at::Tensor latents_, masks_, context_;
};

using Training = GoldenTest;
INSTANTIATE_TEST_SUITE_P(Own, Training, ::testing::Values("sd1_tiny"), golden_name);

TEST_P(Training, LowersTheMaskedLossOverFixedPairsByMoreThanThreeStandardErrors) {
  const auto unet = golden->unet();
  FourPictures data(unet->config().cross_attention_dim);
  RandomLoras random(3);
  const Lora initial = initial_lora(unet->lora_targets(), rank, rank, [&](std::string_view, std::span<float> values) {
    for (float& value : values) value = static_cast<float>(random.between(0, 9999)) / 10000;
  });
  Trainer training = must(Trainer::lora({unet}, must(NoiseSchedule::create(golden->scheduler())), {{initial}},
                                        {.rate = {.curve = LrCurve::cosine, .peak = 2e-3, .steps = training_steps}}));

  const TrainingBatch fixed = data.batch(fixed_pairs / pictures);
  const at::Tensor before = must(training.losses(fixed));
  for (int64_t i = 0; i < training_steps; ++i) must(training.step(data.batch(1)));
  const at::Tensor gain = (before - must(training.losses(fixed))).to(at::kDouble);  // [256]

  const double standard_error = gain.std().item<double>() / std::sqrt(static_cast<double>(fixed_pairs));
  EXPECT_GT(gain.mean().item<double>(), 3 * standard_error);
  RecordProperty("relative_gain", std::to_string(gain.mean().item<double>() / before.mean().item<double>()));
  RecordProperty("standard_errors", std::to_string(gain.mean().item<double>() / standard_error));
}

}  // namespace
}  // namespace atelier::diffusion
