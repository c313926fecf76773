// DDIM (Song et al. 2021, arXiv 2010.02502) with eta 0, number for number as diffusers' DDIMScheduler.
#pragma once

#include <memory>

#include "diffusion/noise_schedule.h"
#include "diffusion/sampler.h"

namespace atelier::diffusion {

/// @param steps  in [1, schedule.timesteps()]; the spacing is `leading` where `config` has none
std::unique_ptr<Sampler> make_ddim(NoiseSchedule schedule, const SchedulerConfig& config, int64_t steps);

}  // namespace atelier::diffusion
