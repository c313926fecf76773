// Which timesteps a sampling visits, from noisy to clean. To the number what diffusers' schedulers make with numpy.
#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/scheduler_config.h"

namespace atelier::diffusion {

/// The `steps` timesteps of the one-step solvers (DDIM, Euler, DPM++ SDE). Those of `linspace` are not rounded.
/// @param steps  in [1, config.num_train_timesteps]
std::vector<double> space_timesteps(TimestepSpacing spacing, const SchedulerConfig& config, int64_t steps);

/// The same for the multistep solvers (DPM++ 2M, UniPC), which leave out the cleanest of `steps` + 1; rounded.
/// @param steps  in [1, config.num_train_timesteps - 1]
std::vector<double> space_multistep_timesteps(TimestepSpacing spacing, const SchedulerConfig& config, int64_t steps);

}  // namespace atelier::diffusion
