// Euler and Euler ancestral (Karras et al. 2022, arXiv 2206.00364; k-diffusion), number for number as diffusers'
// EulerDiscreteScheduler and EulerAncestralDiscreteScheduler. Samples are clean + sigma * noise.
#pragma once

#include <memory>

#include "diffusion/noise_schedule.h"
#include "diffusion/sampler.h"

namespace atelier::diffusion {

/// @param steps  in [1, schedule.timesteps()]; the spacing is `linspace` where `config` has none
std::unique_ptr<Sampler> make_euler(const NoiseSchedule& schedule, const SchedulerConfig& config, int64_t steps);
/// The same with fresh noise after each step, eta 1.
std::unique_ptr<Sampler> make_euler_ancestral(const NoiseSchedule& schedule, const SchedulerConfig& config,
                                              int64_t steps);

/// What noise of unit variance is multiplied by before the first call of a sampler whose samples are
/// clean + sigma * noise: as diffusers has it, without the signal's variance where the spacing reaches the last
/// timestep.
double unscaled_initial_scale(double greatest_sigma, TimestepSpacing spacing);

}  // namespace atelier::diffusion
