#include "diffusion/ddim.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "diffusion/timestep_spacing.h"

namespace atelier::diffusion {
namespace {

class Ddim final : public Sampler {
 public:
  Ddim(NoiseSchedule schedule, const SchedulerConfig& config, std::vector<double> timesteps, std::vector<double> sigmas,
       int64_t steps)
      : Sampler(std::move(timesteps), std::move(sigmas)),
        schedule_(std::move(schedule)),
        stride_(schedule_.timesteps() / steps),
        final_share_(config.set_alpha_to_one ? 1.0 : schedule_.alphas_cumprod()[0].item<double>()),
        clip_range_(config.clip_sample ? config.clip_sample_range : 0.0) {}

  at::Tensor add_noise(const at::Tensor& clean, const at::Tensor& noise, std::size_t call) const override {
    const double share = schedule_.alphas_cumprod()[timestep(call)].item<double>();
    return std::sqrt(share) * clean + std::sqrt(1 - share) * noise;
  }

  at::Tensor step(const at::Tensor& prediction, const at::Tensor& sample, std::size_t call, const DrawNoise&) override {
    auto [clean, noise] = schedule_.denoise(prediction, sample, timestep(call));
    if (clip_range_ > 0) clean = clean.clamp(-clip_range_, clip_range_);
    const int64_t before = timestep(call) - stride_;
    const double share = before >= 0 ? schedule_.alphas_cumprod()[before].item<double>() : final_share_;
    return std::sqrt(share) * clean + std::sqrt(1 - share) * noise;
  }

 private:
  int64_t timestep(std::size_t call) const { return static_cast<int64_t>(timesteps()[call]); }

  NoiseSchedule schedule_;
  int64_t stride_;      // how many timesteps of the training one step covers
  double final_share_;  // the product of alphas "before" timestep 0
  double clip_range_;   // 0: the clean sample is not clipped
};

}  // namespace

std::unique_ptr<Sampler> make_ddim(NoiseSchedule schedule, const SchedulerConfig& config, int64_t steps) {
  std::vector<double> timesteps =
      space_timesteps(config.timestep_spacing.value_or(TimestepSpacing::leading), config, steps);
  // An offset can push the noisiest step past the schedule when nearly all timesteps are asked for.
  for (double& t : timesteps) t = std::min(std::nearbyint(t), static_cast<double>(schedule.timesteps() - 1));

  std::vector<double> sigmas;
  const auto ratio = [](double share) { return std::sqrt((1 - share) / share); };
  for (const double t : timesteps)
    sigmas.push_back(ratio(schedule.alphas_cumprod()[static_cast<int64_t>(t)].item<double>()));
  sigmas.push_back(config.set_alpha_to_one ? 0.0 : ratio(schedule.alphas_cumprod()[0].item<double>()));
  return std::make_unique<Ddim>(std::move(schedule), config, std::move(timesteps), std::move(sigmas), steps);
}

}  // namespace atelier::diffusion
