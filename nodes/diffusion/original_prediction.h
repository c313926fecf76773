// What a single checkpoint file says of what its model predicts: nothing is read but the header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "diffusion/config.h"
#include "diffusion/original_detect.h"

namespace atelier::diffusion {

/// What the model predicts and why it is thought so.
struct Prediction {
  PredictionType type = PredictionType::epsilon;
  bool zero_terminal_snr = false;  ///< the noise schedule ends in noise alone: Lin et al. 2023
  std::string why;                 ///< a sentence for the user, without its end
};

/// The first of: the file's metadata (modelspec.prediction_type, modelspec.architecture, ss_v_parameterization); the
/// keys `v_pred` and `ztsnr`; in SD 2.x a `global_step` of 875000 (SD 2 base) for epsilon, else v, both as diffusers
/// decides; elsewhere epsilon.
Prediction detect_prediction(Architecture architecture, const TensorEntries& entries, const Metadata& metadata,
                             std::optional<int64_t> global_step);

}  // namespace atelier::diffusion
