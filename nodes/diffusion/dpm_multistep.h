// DPM-Solver++(2M), midpoint (Lu et al. 2022, arXiv 2211.01095), number for number as diffusers'
// DPMSolverMultistepScheduler with algorithm `dpmsolver++`, order 2. Samples are alpha * clean + sigma * noise.
#pragma once

#include <memory>

#include "diffusion/noise_schedule.h"
#include "diffusion/sampler.h"

namespace atelier::diffusion {

/// Which sigmas are walked through: those of spaced timesteps, or Karras' over the training's whole range.
enum class SigmaCurve { of_timesteps, karras };

/// @param steps  in [1, schedule.timesteps() - 1]; the spacing is `linspace` where `config` has none
std::unique_ptr<Sampler> make_dpm_multistep(const NoiseSchedule& schedule, const SchedulerConfig& config, int64_t steps,
                                            SigmaCurve curve);

}  // namespace atelier::diffusion
