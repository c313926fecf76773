// DPM++ SDE Karras as users of WebUI know it: k-diffusion's sample_dpmpp_sde with eta 1 and r 1/2 over Karras' sigmas,
// two calls of the model a step. Number for number as diffusers' DPMSolverSDEScheduler with Karras sigmas, given the
// same noise. Samples are clean + sigma * noise.
#pragma once

#include <memory>

#include "diffusion/noise_schedule.h"
#include "diffusion/sampler.h"

namespace atelier::diffusion {

/// @param steps  in [1, schedule.timesteps()]; Karras' sigmas go from the first to the last of the spaced timesteps,
/// and the spacing is `linspace` where `config` has none: the training's whole range, as in WebUI
std::unique_ptr<Sampler> make_dpm_sde(const NoiseSchedule& schedule, const SchedulerConfig& config, int64_t steps);

}  // namespace atelier::diffusion
