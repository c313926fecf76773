// The scheduler_config.json of a diffusers folder as a typed value, whichever of diffusers' schedulers wrote it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "diffusion/error.h"

namespace atelier::diffusion {

enum class PredictionType { epsilon, v_prediction };

/// Which of the training's timesteps a sampling visits: Lin et al. 2023 (arXiv 2305.08891), table 2.
enum class TimestepSpacing { leading, trailing, linspace };

/// Where a sampling ends: without any noise, or at the least noise of the training.
enum class FinalSigma { zero, sigma_min };

/// The noise schedule and how to walk it. Defaults are SD 1.5's.
struct SchedulerConfig {
  int64_t num_train_timesteps = 1000;
  std::string beta_schedule = "scaled_linear";  ///< what NoiseSchedule::create() knows
  double beta_start = 0.00085;
  double beta_end = 0.012;
  bool rescale_betas_zero_snr = false;  ///< the last timestep is noise alone; Lin et al. 2023, algorithm 1
  PredictionType prediction_type = PredictionType::epsilon;

  std::optional<TimestepSpacing> timestep_spacing{};  ///< absent: the sampler's own
  int64_t steps_offset = 1;                           ///< is added to each timestep of the leading spacing
  FinalSigma final_sigma = FinalSigma::zero;          ///< of Euler, DPM++ 2M and UniPC
  bool lower_order_final = true;                      ///< DPM++ 2M, UniPC: short samplings end with a first-order step
  bool euler_at_final = false;                        ///< DPM++ 2M: long ones too
  bool set_alpha_to_one = false;                      ///< DDIM: the last step goes to no noise at all
  bool clip_sample = false;                           ///< DDIM: the clean sample is clipped
  double clip_sample_range = 1.0;
};

std::string_view name_of(TimestepSpacing spacing);
/// The spacing of this name. An Error lists the names there are.
Result<TimestepSpacing> timestep_spacing_named(std::string_view name);

/// Reads a parsed scheduler_config.json; `file` names it in messages. Where a key is absent the default of diffusers'
/// DDIMScheduler holds, but for `clip_sample`, which diffusers' pipelines switch off for latents. Errors: a wrong type,
/// a value out of range, an option that is not supported, all by the key's name.
Result<SchedulerConfig> parse_scheduler_config(const nlohmann::json& json, const std::string& file);

}  // namespace atelier::diffusion
