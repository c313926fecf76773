// UniPC of order 2, B2 (Zhao et al. 2023, arXiv 2302.04867), number for number as diffusers' UniPCMultistepScheduler.
// Samples are alpha * clean + sigma * noise.
#pragma once

#include <memory>

#include "diffusion/noise_schedule.h"
#include "diffusion/sampler.h"

namespace atelier::diffusion {

/// @param steps  in [1, schedule.timesteps() - 1]; the spacing is `linspace` where `config` has none
std::unique_ptr<Sampler> make_unipc(const NoiseSchedule& schedule, const SchedulerConfig& config, int64_t steps);

}  // namespace atelier::diffusion
