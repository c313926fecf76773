// DDIM (Song et al. 2021) with eta 0, number for number as diffusers' DDIMScheduler.
#pragma once

#include <vector>

#include "diffusion/noise_schedule.h"

namespace atelier::diffusion {

class Ddim {
 public:
  /// The sampler for `steps` steps. Errors: steps outside [1, T], an unknown `timestep_spacing`.
  static Result<Ddim> create(const SchedulerConfig& config, int64_t steps);

  /// Timesteps from noisy to clean.
  const std::vector<int64_t>& timesteps() const noexcept { return timesteps_; }

  /// The sample one step cleaner.
  /// @param prediction  the model's output for `sample` at `t`, guidance applied; both [N, 4, h, w] float32
  /// @param t           one of timesteps()
  at::Tensor step(const at::Tensor& prediction, const at::Tensor& sample, int64_t t) const;

 private:
  Ddim(NoiseSchedule schedule, int64_t steps);

  NoiseSchedule schedule_;
  std::vector<int64_t> timesteps_;
  int64_t stride_;          // how many timesteps of the training one step covers
  double final_alpha_ = 1;  // the product of alphas "before" timestep 0
  double clip_range_ = 0;   // 0: the clean sample is not clipped
};

/// Classifier-free guidance (Ho & Salimans 2022): without + scale * (with - without).
at::Tensor guide(const at::Tensor& without, const at::Tensor& with, double scale);

}  // namespace atelier::diffusion
