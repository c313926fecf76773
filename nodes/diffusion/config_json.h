// Configurations as the files of a diffusers folder: the inverse of config.h's parsers.
#pragma once

#include <nlohmann/json.hpp>

#include "diffusion/config.h"

namespace atelier::diffusion {

/// Each gives what diffusers 0.42.1 or transformers 5 would load as that configuration, and parse_…_config() as the
/// value that was given. `dtype` is torch's name of the weights' ("float16"), which transformers keeps beside it.
nlohmann::json unet_json(const UNetConfig& config);
nlohmann::json vae_json(const VaeConfig& config, int64_t sample_px);
nlohmann::json text_json(const TextConfig& config, const std::string& dtype);
nlohmann::json scheduler_json(const SchedulerConfig& config);
nlohmann::json model_index_json(Architecture architecture);

}  // namespace atelier::diffusion
